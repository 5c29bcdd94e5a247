//! The code blocks of the documents, and what is asked of each by its language.

use std::path::Path;

use anyhow::Context as _;

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its text's beginning.
    pub(crate) line: usize,
    /// What it says it is.
    pub(crate) language: String,
    pub(crate) text: String,
}

/// A document with its blocks.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its path in the tree.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

/// A command of a block, and what is shown of its answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its line in the document.
    pub(crate) line: usize,
    pub(crate) command: String,
    /// Nothing where the document shows nothing.
    pub(crate) shown: Option<String>,
}

/// The README and everything in `docs` but what is generated.
pub(crate) fn documents(root: &Path) -> anyhow::Result<Vec<Document>> {
    let mut paths = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("docs/reference") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths[1..].sort();
    paths.iter().map(|path| Document::read(root, path)).collect()
}

impl Document {
    fn read(root: &Path, path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let path = path.strip_prefix(root)?.display().to_string();
        let blocks = blocks(&text).with_context(|| path.clone())?;
        Ok(Self { path, text, blocks })
    }
}

fn blocks(text: &str) -> anyhow::Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                let language = language.trim().to_owned();
                open = Some(Block { line: index + 2, language, text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    anyhow::ensure!(open.is_none(), "a block has no end");
    Ok(blocks)
}

impl Block {
    /// Whether a shell runs it.
    pub(crate) fn runs(&self) -> bool {
        ["sh", "console"].contains(&self.language.as_str())
    }

    /// Whether a database runs it.
    pub(crate) fn is_sql(&self) -> bool {
        self.language == "sql"
    }

    /// What is wrong with a block that is not run.
    pub(crate) fn misread(&self) -> Option<String> {
        match self.language.as_str() {
            "sh" | "console" | "sql" | "text" | "mermaid" => None,
            "json" => serde_json::from_str::<serde_json::Value>(&self.text)
                .err()
                .map(|error| error.to_string()),
            "toml" => self.text.parse::<toml::Table>().err().map(|error| error.to_string()),
            "yaml" => serde_yaml_ng::from_str::<serde_yaml_ng::Value>(&self.text)
                .err()
                .map(|error| error.to_string()),
            "" => Some(
                "it does not say what it is: sh, console, json, toml, yaml, sql, or text".into(),
            ),
            other => Some(format!("nobody checks {other}; have a test do so, or call it text")),
        }
    }

    /// What a shell is told: a whole block of `sh` at once, a block of `console` command by command.
    pub(crate) fn steps(&self) -> Vec<Step> {
        if self.language == "sh" {
            return vec![Step { line: self.line, command: self.text.clone(), shown: None }];
        }
        let mut steps: Vec<Step> = Vec::new();
        for (index, line) in self.text.lines().enumerate() {
            if let Some(command) = line.strip_prefix("$ ") {
                let line = self.line + index;
                steps.push(Step { line, command: format!("{command}\n"), shown: None });
            } else if let Some(step) = steps.last_mut() {
                match line.strip_prefix("> ").filter(|_| step.shown.is_none()) {
                    Some(more) => step.command.extend([more, "\n"]),
                    None => step.shown.get_or_insert_default().extend([line, "\n"]),
                }
            }
        }
        steps
    }
}

/// Whether what a command said is what is shown, where `…` stands for anything.
pub(crate) fn fits(shown: &str, said: &str) -> bool {
    let tidy = |text: &str| text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let (shown, said) = (tidy(shown), tidy(said));
    let mut pieces = shown.split('…');
    let Some(mut rest) = said.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_lines_and_languages() {
        let found = blocks("a\n```sh\nls\n```\n  ```json\n{}\n  ```\n").unwrap();
        assert_eq!(found[0], Block { line: 3, language: "sh".into(), text: "ls\n".into() });
        assert_eq!((found[1].line, found[1].language.as_str()), (6, "json"));
        assert!(blocks("```sh\nls\n").is_err());
    }

    #[test]
    fn a_block_that_nobody_runs_is_read_or_named() {
        let wrong = |language: &str, text: &str| {
            Block { line: 1, language: language.into(), text: text.into() }.misread().is_some()
        };
        for (language, good, bad) in [
            ("json", "{\"a\": [1]}", "{\"a\": …}"),
            ("toml", "a = 1", "a = "),
            ("yaml", "a: [1]", "a: [1"),
        ] {
            assert!(!wrong(language, good) && wrong(language, bad), "{language}");
        }
        assert!(wrong("", "x") && wrong("rust", "fn x() {}") && !wrong("text", "x"));
    }

    #[test]
    fn a_console_shows_what_each_command_said() {
        let text = "$ echo a\\\n>  b\na b\nc\n$ true\n$ ls\nx\n";
        let block = Block { line: 7, language: "console".into(), text: text.into() };
        let step = |line, command: &str, shown: Option<&str>| Step {
            line,
            command: command.into(),
            shown: shown.map(str::to_owned),
        };
        assert_eq!(
            block.steps(),
            [
                step(7, "echo a\\\n b\n", Some("a b\nc\n")),
                step(11, "true\n", None),
                step(12, "ls\n", Some("x\n")),
            ]
        );
    }

    #[test]
    fn what_is_shown_fits_what_was_said_where_dots_stand_for_anything() {
        for (shown, said) in [
            ("a\nb\n", "a  \nb"),
            ("{\"id\": \"…\"}", "{\"id\": \"0199\"}"),
            ("a\n…\nz", "a\nb\nc\nz"),
            ("…", ""),
            ("a…b…", "a1b2b3"),
        ] {
            assert!(fits(shown, said), "{shown} {said}");
        }
        for (shown, said) in [("a", "ab"), ("a…c", "ab"), ("a…b…c", "ac"), ("", "a"), ("…a", "ab")]
        {
            assert!(!fits(shown, said), "{shown} {said}");
        }
    }
}
