//! The blocks of commands in the documents: what between "```sh" and "```" is to be typed.
//!
//! A block that a test cannot run says so in a comment of its document, in the line before it: `<!-- not run: WHY -->`, or
//! `<!-- run by FILE -->` where another test takes its steps.

use std::{fs, path::Path, process::Command as Shell};

/// A block of commands.
pub(super) struct Block {
    /// Line of its document.
    pub(super) line: usize,
    pub(super) commands: Vec<Command>,
    pub(super) mark: Option<Mark>,
}

/// What a document says of a block that its test does not run.
pub(super) enum Mark {
    NotRun(String),
    RunBy(String),
}

/// One command, over all its lines.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) text: String,
    /// What is said behind it.
    pub(super) comment: String,
}

/// The text of a document, by its path in the repository.
pub(super) fn page(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The blocks of a document, in order.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut mark = None;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line != "```sh" {
            if let Some(comment) = comment(line) {
                mark = Mark::read(comment);
            } else if !line.is_empty() {
                mark = None;
            }
            // A block of another language must not be taken for the text between two.
            if line.starts_with("```") {
                lines.by_ref().find(|(_, line)| line.trim() == "```");
            }
            continue;
        }
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line.trim()).take_while(|line| *line != "```").collect();
        blocks.push(Block { line: number + 1, commands: commands(&body), mark: mark.take() });
    }
    blocks
}

fn comment(line: &str) -> Option<&str> {
    Some(line.strip_prefix("<!--")?.strip_suffix("-->")?.trim())
}

impl Mark {
    fn read(comment: &str) -> Option<Self> {
        if let Some(why) = comment.strip_prefix("not run: ") {
            return Some(Self::NotRun(why.to_owned()));
        }
        comment.strip_prefix("run by ").map(|file| Self::RunBy(file.to_owned()))
    }
}

/// The commands of a block: a line each, or as many as the shell needs to understand one.
fn commands(lines: &[&str]) -> Vec<Command> {
    let mut commands = Vec::new();
    let (mut text, mut comments) = (String::new(), Vec::new());
    for line in lines {
        let (command, comment) = match line.split_once(" #") {
            Some((command, comment)) => (command.trim_end(), Some(comment.trim())),
            None if line.starts_with('#') => ("", Some(line.trim_start_matches('#').trim())),
            None => (*line, None),
        };
        comments.extend(comment);
        if command.is_empty() {
            continue;
        }
        text.push_str(command);
        if is_whole(&text) {
            let comment = std::mem::take(&mut comments).join(" ");
            commands.push(Command { text: std::mem::take(&mut text), comment });
        } else {
            text.push('\n');
        }
    }
    assert!(text.is_empty(), "the shell expects more after {text}");
    commands
}

fn is_whole(text: &str) -> bool {
    let read = Shell::new("bash").args(["-n", "-c", text]).output().unwrap();
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    let wants_more =
        ["unexpected end of file", "unexpected EOF"].iter().any(|end| said.contains(end));
    let goes_on = text.ends_with('\\') || wants_more;
    assert!(goes_on || read.status.success(), "{text}\n{said}");
    !goes_on
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    let page = "Text.\n<!-- not run: why -->\n\n```sh\n  a 'b c' --d   # exit 3\n```\n```text\n```sh\n```\n\
                - more\n  ```sh\n  for x in 1 2; do\n  echo $x; done\n  # of two\n  a \\\n    b\n  ```\n";
    let blocks = blocks(page);
    assert_eq!(blocks.iter().map(|block| block.line).collect::<Vec<_>>(), [4, 11]);
    assert!(matches!(&blocks[0].mark, Some(Mark::NotRun(why)) if why == "why"));
    assert!(blocks[1].mark.is_none());
    assert_eq!(blocks[0].commands[0].text, "a 'b c' --d");
    assert_eq!(blocks[0].commands[0].comment, "exit 3");
    let of_second: Vec<&str> =
        blocks[1].commands.iter().map(|command| command.text.as_str()).collect();
    assert_eq!(of_second, ["for x in 1 2; do\necho $x; done", "a \\\nb"]);
}
