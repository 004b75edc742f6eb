//! A page is walked through: its blocks of commands in order, as they are written.

use support::program::Finished;

use super::{
    blocks::{Block, blocks, page},
    shell::Shell,
};

/// What bash answers for a command that there is not, or that cannot be run.
const NO_COMMAND: [i32; 2] = [126, 127];
/// What our programs answer to a command line or a setting that they do not take.
const USAGE: i32 = 2;

/// Where somebody is who follows a page.
pub(super) struct Walk {
    page: &'static str,
    blocks: std::vec::IntoIter<Block>,
}

impl Walk {
    /// At the beginning of a page. Blocks that are marked are passed over.
    pub(super) fn of(path: &'static str) -> Self {
        let mut blocks = blocks(&page(path));
        blocks.retain(|block| block.mark.is_none());
        Self { page: path, blocks: blocks.into_iter() }
    }

    /// Runs the next block. Each command must end with 0, or with a code that its comment names.
    pub(super) async fn next(&mut self, shell: &Shell) -> Vec<Finished> {
        self.run(shell, |finished, comment| {
            finished.code.is_some_and(|code| {
                code == 0
                    || ["exit", "exits"]
                        .iter()
                        .any(|exits| comment.contains(&format!("{exits} {code}")))
            })
        })
        .await
    }

    /// Runs the next block while the fault lasts, which commands may find and say so with their exit code.
    pub(super) async fn next_despite_fault(&mut self, shell: &Shell) -> Vec<Finished> {
        self.run(shell, |finished, _| {
            let is_ours =
                ["faithctl", "reconciler"].iter().any(|ours| finished.command.starts_with(ours));
            let is_misspelt = |code| NO_COMMAND.contains(&code) || (is_ours && code == USAGE);
            finished.code.is_some_and(|code| !is_misspelt(code))
        })
        .await
    }

    async fn run(
        &mut self,
        shell: &Shell,
        is_well: impl Fn(&Finished, &str) -> bool,
    ) -> Vec<Finished> {
        let block =
            self.blocks.next().unwrap_or_else(|| panic!("{} has no more blocks", self.page));
        let mut outputs = Vec::new();
        for command in &block.commands {
            let finished = shell.run(&command.text).await;
            assert!(
                is_well(&finished, &command.comment),
                "{}:{}: {}\n{finished:#?}",
                self.page,
                block.line,
                command.text
            );
            outputs.push(finished);
        }
        outputs
    }

    /// Whether every block was run.
    pub(super) fn is_at_end(&self) -> bool {
        self.blocks.as_slice().is_empty()
    }

    /// The page was walked to its end.
    pub(super) fn end(mut self) {
        if let Some(left) = self.blocks.next() {
            panic!("{}:{} was not run", self.page, left.line);
        }
    }
}
