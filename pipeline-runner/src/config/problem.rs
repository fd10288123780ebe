// SPDX-License-Identifier: MPL-2.0
//! What is wrong with a definition, where, and what would be right.
//!
//! Every check of this room ends in a [`Problem`]; all of a file's problems are reported at once,
//! each under the lines it is about. The lines are shown with secrets masked: reports end up in
//! journals.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource};
use serde_saphyr::Location;

use super::redact::{mask, redact};

/// The text of a file, for finding places in it and showing them.
#[derive(Clone)]
pub(super) struct Source {
    /// The file's name, as the user gave it.
    pub name: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    shown: Arc<NamedSource<String>>,
}

impl fmt::Debug for Source {
    /// Its name alone: there may be secrets in its text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Source {
    /// A file's text under the name it was given.
    pub(super) fn new(path: &Path, text: String) -> Self {
        let name = path.display().to_string();
        Self {
            shown: Arc::new(NamedSource::new(&name, mask(&text))),
            name: name.into(),
            text: text.into(),
        }
    }

    /// The bytes of a place that the YAML reader names.
    pub(super) fn range(&self, at: Location) -> Range<usize> {
        let span = at.span();
        let range = match (span.byte_offset(), span.byte_len()) {
            (Some(start), Some(length)) => to_usize(start)..to_usize(start.saturating_add(length)),
            _ => {
                let start = self.offset(at.line(), at.column());
                start..start
            }
        };
        range.start.min(self.text.len())..range.end.min(self.text.len())
    }

    /// The text at a place, without what follows on further lines.
    pub(super) fn snippet(&self, at: Location) -> &str {
        let text = self.text.get(self.range(at)).unwrap_or_default();
        text.lines().next().unwrap_or_default().trim_end()
    }

    fn offset(&self, line: u64, column: u64) -> usize {
        let (line, column) = (to_usize(line), to_usize(column));
        let before: usize = (self.text.split_inclusive('\n'))
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let text = self.text.get(before..).unwrap_or_default();
        let within: usize = (text.chars().take(column.saturating_sub(1)))
            .map(char::len_utf8)
            .sum();
        before + within
    }
}

fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Where, in bytes; nowhere if it is about the file as a whole.
    pub at: Option<Range<usize>>,
}

impl Problem {
    /// Something wrong at a place.
    pub(super) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: redact(&message.into()),
            help: None,
            at: Some(at),
        }
    }

    /// With what would be right.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All that is wrong with one file, as a report; nothing if nothing is.
pub(super) fn report(source: &Source, mut problems: Vec<Problem>) -> miette::Result<()> {
    problems.sort_by_key(|problem| problem.at.clone().map(|at| (at.start, at.end)));
    problems.dedup();
    let mut shown: Vec<Shown> = (problems.into_iter())
        .map(|problem| Shown {
            source: source.clone(),
            problem,
        })
        .collect();
    match (shown.len(), shown.pop()) {
        (1, Some(only)) => Err(only.into()),
        (_, Some(last)) => {
            shown.push(last);
            Err(All {
                name: source.name.clone(),
                shown,
            }
            .into())
        }
        (_, None) => Ok(()),
    }
}

/// A report as text for a person: coloured if `colour`, wrapped at `columns`.
pub fn explain(report: &miette::Report, colour: bool, columns: usize) -> String {
    let theme = if colour {
        miette::GraphicalTheme::unicode()
    } else {
        miette::GraphicalTheme::none()
    };
    let mut text = String::new();
    let written = miette::GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(columns)
        .render_report(&mut text, report.as_ref());
    match written {
        Ok(()) => text,
        Err(fmt::Error) => report.to_string(),
    }
}

#[derive(Debug)]
struct Shown {
    source: Source,
    problem: Problem,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.problem.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.problem.at.as_ref().map(|_| &*self.source.shown as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let at = self.problem.at.clone()?;
        Some(Box::new(std::iter::once(
            LabeledSpan::new_primary_with_span(None, at),
        )))
    }
}

#[derive(Debug)]
struct All {
    name: Arc<str>,
    shown: Vec<Shown>,
}

impl fmt::Display for All {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} problems", self.name, self.shown.len())
    }
}

impl std::error::Error for All {}

impl Diagnostic for All {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.shown.iter().map(|shown| shown as _)))
    }
}
