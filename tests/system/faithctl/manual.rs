//! `faithctl completions` and `man`: without a server, and for every command.

use std::collections::BTreeMap;

use support::{program::run_to_end, servers::DataFolder};

#[tokio::test]
async fn completions_and_man_pages_know_every_command() {
    let run = async |arguments: &[&str]| {
        run_to_end("faithctl", arguments, b"", BTreeMap::new()).await.unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).await.success();
        for word in ["dead-letters", "set-filter", "rules"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    assert_eq!(run(&["completions", "cmd.exe"]).await.code, Some(2));

    let folder = DataFolder::temporary().unwrap();
    let pages = folder.path().join("man1");
    run(&["man", pages.to_str().unwrap()]).await.success();
    for page in ["faithctl.1", "faithctl-campus-set-filter.1", "faithctl-dead-letters-replay.1"] {
        assert!(pages.join(page).exists(), "{page} is missing");
    }
}
