// SPDX-License-Identifier: MPL-2.0
//! Reads a file and puts its checked parts together.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use serde_saphyr::Spanned;

use super::check::{self, Checker};
use super::nearest::{listed, suggestion};
use super::problem::{self, Problem, Source};
use super::section::{section, tree};
use super::tree::Node;
use super::{
    Archive, Credentials, DEFAULT_SESSION, Definitions, Pipeline, credentials, tokens, vars, yaml,
};

/// A definition larger than this is none.
const MAX_BYTES: u64 = 4 << 20;

/// The text of a file; of standard input for `-`.
pub(super) fn read(path: &Path) -> miette::Result<String> {
    let named = path.display();
    let mut bytes = Vec::new();
    let done = if path.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
    } else {
        let folder = path.is_dir();
        if folder {
            return Err(miette::miette!(
                help = "name one YAML file in it",
                "{named} is a folder, not a file"
            ));
        }
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
    };
    done.map_err(|why| match why.kind() {
        std::io::ErrorKind::NotFound => miette::miette!(
            help = "a relative path starts at the current directory",
            "{named}: there is no such file"
        ),
        _ => miette::miette!("{named} cannot be read: {why}"),
    })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(miette::miette!(
            "{named} is larger than 4 MiB: no definition is"
        ));
    }
    String::from_utf8(bytes).map_err(|why| not_utf8(path, &why))
}

fn not_utf8(path: &Path, why: &std::string::FromUtf8Error) -> miette::Report {
    let start = why.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(why.as_bytes()).into_owned();
    let problem = Problem::new(
        start..start + '\u{fffd}'.len_utf8(),
        "this byte is not UTF-8",
    )
    .help("save the file as UTF-8");
    match problem::report(&Source::new(path, text), vec![problem]) {
        Err(report) => report,
        Ok(()) => miette::miette!("{} is not UTF-8", path.display()),
    }
}

/// The definitions in a text, with variables from `environment`.
pub(super) fn definitions(
    path: &Path,
    text: String,
    environment: &dyn Fn(&str) -> Option<String>,
) -> miette::Result<Definitions> {
    let source = Source::new(path, text);
    let tree = match tree(&source) {
        Ok(tree) => tree,
        Err(problem) => {
            problem::report(&source, vec![problem])?;
            return Err(miette::miette!("{} cannot be read", path.display()));
        }
    };
    let mut variables = vars::look_up(&source, &tree, environment);
    let mut problems = top_level(&source, &tree);
    problems.append(&mut variables.problems);
    problems.append(&mut tokens::problems(&source, &tree));
    let secret_variables = std::mem::take(&mut variables.secret);
    let mut reader = Reader {
        source: &source,
        text: variables.harmless(&source),
        tree: &tree,
        values: Rc::new(variables.values),
        broken: variables.broken,
        problems,
    };
    let archive = reader.archive();
    let mut sessions = reader.credentials();
    let checked = reader.pipelines(archive.as_ref(), &sessions);
    let problems = reader.problems;
    problem::report(&source, problems)?;
    let (pipelines, origins): (BTreeMap<String, Pipeline>, _) = checked
        .into_iter()
        .map(|(name, (pipeline, origin))| ((name.clone(), pipeline), (name, origin)))
        .unzip();
    add_default(&mut sessions, &pipelines);
    Ok(Definitions {
        path: path.to_owned(),
        archive,
        credentials: sessions,
        secret_variables,
        pipelines,
        origins,
        source,
    })
}

/// The session of outputs that name none, where there is such an output.
fn add_default(
    sessions: &mut BTreeMap<String, Credentials>,
    pipelines: &BTreeMap<String, Pipeline>,
) {
    let wanted = |pipeline: &Pipeline| pipeline.credentials.as_deref() == Some(DEFAULT_SESSION);
    if pipelines.values().any(wanted) {
        let session = sessions.entry(DEFAULT_SESSION.to_owned());
        session.or_insert_with(Credentials::by_default);
    }
}

/// What is wrong with the keys of the file itself.
fn top_level(source: &Source, tree: &Spanned<Node>) -> Vec<Problem> {
    let whole = source.range(tree.referenced);
    let help = "a definition has `pipelines:` and mostly `archive:`";
    if source.text.trim().is_empty() {
        return vec![Problem::new(whole, "the file is empty").help(help)];
    }
    if !matches!(tree.value, Node::Map(_)) {
        return vec![Problem::new(whole, "this is no definition").help(help)];
    }
    let mut problems = Vec::new();
    for (key, _) in tree.value.entries() {
        let at = source.range(key.referenced);
        let name = key.value.as_str();
        if yaml::LATER_TOP_LEVEL.contains(&name) {
            let message = format!("`{name}` is not supported yet by this version");
            let help = format!("this version knows {}", listed(&yaml::TOP_LEVEL));
            problems.push(Problem::new(at, message).help(help));
        } else if !yaml::TOP_LEVEL.contains(&name) {
            let mut problem = Problem::new(at, format!("unknown key `{name}`"));
            problem.help = suggestion(name, "known keys", yaml::TOP_LEVEL);
            problems.push(problem);
        }
    }
    let pipelines = tree
        .value
        .entries()
        .iter()
        .find(|(key, _)| key.value == "pipelines");
    let like = "write a name and what it does: `front-door: { source: …, outputs: … }`";
    match pipelines.map(|(key, node)| (key, &node.value, node.referenced)) {
        Some((_, Node::Map(pipelines), _)) if !pipelines.is_empty() => {}
        Some((key, Node::Map(_) | Node::Other, _)) => problems
            .push(Problem::new(source.range(key.referenced), "`pipelines` is empty").help(like)),
        Some((_, _, at)) => {
            problems.push(Problem::new(source.range(at), "`pipelines` is no mapping").help(like));
        }
        None if tree.value.get("credentials").is_some() => {}
        None if problems.is_empty() => {
            problems.push(Problem::new(whole, "missing key `pipelines`").help(help));
        }
        None => {}
    }
    problems
}

struct Reader<'a> {
    source: &'a Source,
    text: String,
    tree: &'a Spanned<Node>,
    values: Rc<HashMap<String, String>>,
    broken: Vec<Range<usize>>,
    problems: Vec<Problem>,
}

type Checked = BTreeMap<String, (super::Pipeline, check::Origin)>;

impl Reader<'_> {
    fn archive(&mut self) -> Option<Archive> {
        let node = self.tree.value.get("archive")?;
        if self.lacks_variables(node) {
            return None;
        }
        let read = section(self.source, &self.text, &self.values, &["archive"]);
        match read.and_then(|archive| check::archive(self.source, archive)) {
            Ok(archive) => Some(archive),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn credentials(&mut self) -> BTreeMap<String, Credentials> {
        let mut checked = BTreeMap::new();
        let Some(node) = self.tree.value.get("credentials") else {
            return checked;
        };
        if !matches!(node.value, Node::Map(_)) {
            let help =
                "write a name and where they come from: `uploader: { aws: { role_arn: … } }`";
            let at = self.source.range(node.referenced);
            self.problems
                .push(Problem::new(at, "`credentials` is no mapping").help(help));
        }
        for (key, node) in node.value.entries() {
            if self.lacks_variables(node) {
                continue;
            }
            let path = ["credentials", &key.value];
            let read = section(self.source, &self.text, &self.values, &path);
            match read
                .map_err(|problem| vec![problem])
                .and_then(|session| credentials::check(self.source, key, session))
            {
                Ok(session) => {
                    checked.insert(key.value.clone(), session);
                }
                Err(problems) => self.problems.extend(problems),
            }
        }
        checked
    }

    fn pipelines(
        &mut self,
        archive: Option<&Archive>,
        sessions: &BTreeMap<String, Credentials>,
    ) -> Checked {
        let entries = self.tree.value.get("credentials");
        let entries = entries.map_or(&[][..], |node| node.value.entries());
        let mut checker = Checker {
            source: self.source,
            archive,
            sessions,
            session_names: entries.iter().map(|(key, _)| key.value.as_str()).collect(),
            archive_given: self.tree.value.get("archive").is_some(),
            recorded: BTreeMap::new(),
            problems: Vec::new(),
        };
        let mut checked = Checked::new();
        let pipelines = self
            .tree
            .value
            .get("pipelines")
            .map(|node| node.value.entries());
        for (key, node) in pipelines.unwrap_or_default() {
            if self.lacks_variables(node) {
                continue;
            }
            match section(
                self.source,
                &self.text,
                &self.values,
                &["pipelines", &key.value],
            ) {
                Ok(pipeline) => {
                    let pipeline = checker.pipeline(key, &pipeline);
                    checked.extend(pipeline.map(|pipeline| (key.value.clone(), pipeline)));
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        self.problems.append(&mut checker.problems);
        checked
    }

    /// Whether a variable in there is missing: what else is wrong would be guesswork.
    fn lacks_variables(&self, node: &Spanned<Node>) -> bool {
        let mut scalars = (Node::texts(node).into_iter()).map(|text| self.source.range(text.at));
        scalars.any(|scalar| self.broken.contains(&scalar))
    }
}
