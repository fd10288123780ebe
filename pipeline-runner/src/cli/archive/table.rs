// SPDX-License-Identifier: MPL-2.0
//! Columns that line up.

use std::io;

use crate::cli::output::Out;

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Words and times.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a head.
pub(super) struct Table<const COLUMNS: usize> {
    columns: [(&'static str, Align); COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(columns: [(&'static str, Align); COLUMNS]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }

    /// Writes the head and the rows; nothing if there are none.
    pub(super) fn write(&self, out: &mut Out) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let head = self.columns.map(|(title, _)| title.to_owned());
        let widths = self.widths(&head);
        for row in std::iter::once(&head).chain(&self.rows) {
            out.line(self.set(row, &widths))?;
        }
        Ok(())
    }

    fn widths(&self, head: &[String; COLUMNS]) -> [usize; COLUMNS] {
        let mut widths = [0; COLUMNS];
        for row in std::iter::once(head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }

    fn set(&self, row: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in row.iter().zip(widths).zip(&self.columns) {
            let blanks = " ".repeat(width.saturating_sub(cell.chars().count()));
            match align {
                Align::Left => line.extend([cell.as_str(), &blanks]),
                Align::Right => line.extend([blanks.as_str(), cell]),
            }
            line.push_str("  ");
        }
        line.truncate(line.trim_end().len());
        line
    }
}
