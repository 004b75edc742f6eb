//! What each command does to the installation: whatever changes something is noted in the audit.

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing.
    None,
    /// It changes something, and is noted in the audit however it ends.
    Change,
}

/// Every command, as it is called. A test compares them with those of the command line.
const COMMANDS: [(&str, Effect); 49] = [
    ("audit list", Effect::None),
    ("campus add", Effect::Change),
    ("campus clear-filter", Effect::Change),
    ("campus disable", Effect::Change),
    ("campus discover-fields", Effect::None),
    ("campus enable", Effect::Change),
    ("campus list", Effect::None),
    ("campus pause", Effect::Change),
    ("campus resume", Effect::Change),
    ("campus rotate-secret", Effect::Change),
    ("campus set", Effect::Change),
    ("campus set-filter", Effect::Change),
    ("campus show", Effect::None),
    ("campus test-connection", Effect::None),
    ("completions", Effect::None),
    ("console login", Effect::Change),
    ("dead-letters discard", Effect::Change),
    ("dead-letters export", Effect::None),
    ("dead-letters groups", Effect::None),
    ("dead-letters list", Effect::None),
    ("dead-letters replay", Effect::Change),
    ("dead-letters restore", Effect::Change),
    ("dead-letters show", Effect::None),
    ("deliveries discard", Effect::Change),
    ("deliveries list", Effect::None),
    ("deliveries show", Effect::None),
    ("doctor", Effect::None),
    ("erase", Effect::Change),
    ("man", Effect::None),
    ("members resync", Effect::Change),
    ("migrate", Effect::Change),
    ("notifications test", Effect::None),
    ("operations list", Effect::None),
    ("operations pause", Effect::Change),
    ("operations resume", Effect::Change),
    ("operations set-rate", Effect::Change),
    ("operations show", Effect::None),
    ("operations stop", Effect::Change),
    ("operator add", Effect::Change),
    ("operator disable", Effect::Change),
    ("operator enable", Effect::Change),
    ("operator list", Effect::None),
    ("probe", Effect::None),
    ("rekey", Effect::Change),
    ("runs list", Effect::None),
    ("runs request", Effect::Change),
    ("runs show", Effect::None),
    ("send-test", Effect::None),
    ("status", Effect::None),
];

/// What the command of this name does; one that nobody has entered here counts as a change.
pub(crate) fn effect(command: &str) -> Effect {
    COMMANDS.iter().find(|(name, _)| *name == command).map_or(Effect::Change, |(_, effect)| *effect)
}

#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    COMMANDS.iter().map(|(name, _)| *name).collect()
}
