//! The files of a crate import each other in one direction: each can be read with nothing in mind but what it
//! names. A `pub use` is followed to the file that holds the name, so that a crate's root may show what is below it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::visit::Visit;

use super::{crates, files_in, root};

/// `["event", "settle"]`; the crate's root is empty.
type Module = Vec<String>;

/// What the files of a crate name of each other.
#[derive(Default)]
struct Graph {
    modules: BTreeSet<Module>,
    /// What a module shows of others, by its own path.
    exports: BTreeMap<Module, Module>,
    names: BTreeMap<Module, Vec<Module>>,
}

impl Graph {
    fn of(crate_folder: &Path) -> Self {
        let source = crate_folder.join("src");
        let mut graph = Self::default();
        for file in files_in(&source, &["rs"]) {
            let module = module_of(file.strip_prefix(&source).unwrap());
            let text = fs::read_to_string(&file).unwrap();
            let mut reader = Reader { module: &module, names: Vec::new(), exports: Vec::new() };
            reader.visit_file(&syn::parse_file(&text).unwrap());
            graph.exports.extend(reader.exports);
            graph.names.insert(module.clone(), reader.names);
            graph.modules.insert(module);
        }
        graph
    }

    /// The file that holds what this path names.
    fn home(&self, path: &[String], hops: u8) -> Module {
        for length in (0..=path.len()).rev() {
            let (head, rest) = path.split_at(length);
            if let Some(target) = self.exports.get(head).filter(|_| hops > 0) {
                return self.home(&[target, rest].concat(), hops - 1);
            }
            if self.modules.contains(head) {
                return head.to_vec();
            }
        }
        Module::new()
    }

    /// Modules that reach themselves, with whom they do it.
    fn circles(&self) -> Vec<BTreeSet<Module>> {
        let direct: BTreeMap<&Module, BTreeSet<Module>> = self
            .names
            .iter()
            .map(|(module, names)| {
                let homes = names.iter().map(|name| self.home(name, 8));
                (module, homes.filter(|home| home != module).collect())
            })
            .collect();
        let reach = |from: &Module| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = open.pop() {
                for next in direct.get(&module).into_iter().flatten() {
                    if seen.insert(next.clone()) {
                        open.push(next.clone());
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.names.keys().map(|module| (module, reach(module))).collect();
        let circle_of = |module: &Module| -> BTreeSet<Module> {
            let others = reached[module].iter();
            others.filter(|other| reached[*other].contains(module)).cloned().collect()
        };
        let circles: BTreeSet<_> = self.names.keys().map(circle_of).collect();
        circles.into_iter().filter(|circle| !circle.is_empty()).collect()
    }
}

/// `event/admit.rs` → `["event", "admit"]`
fn module_of(file: &Path) -> Module {
    let mut module: Module =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] || module == ["main"] {
        module.pop();
    }
    module
}

/// Collects the paths within the crate that a file names, its tests aside.
struct Reader<'a> {
    module: &'a Module,
    names: Vec<Module>,
    exports: Vec<(Module, Module)>,
}

impl Reader<'_> {
    /// From the crate's root; none for a path that leads out of the crate or is not known to stay in it.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let mut parts = path.iter();
        let mut module = match parts.next()?.as_str() {
            "crate" => Module::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len().checked_sub(1)?].to_vec(),
            child => [self.module.as_slice(), &[child.to_owned()]].concat(),
        };
        for part in parts {
            if part == "super" {
                module.pop()?;
            } else {
                module.push(part.clone());
            }
        }
        Some(module)
    }

    fn import(&mut self, tree: &syn::UseTree, path: &[String], is_public: bool) {
        let joined = |name: &syn::Ident| [path, &[name.to_string()]].concat();
        let (path, shown) = match tree {
            syn::UseTree::Path(tree) => {
                return self.import(&tree.tree, &joined(&tree.ident), is_public);
            }
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, path, is_public));
            }
            syn::UseTree::Name(name) if name.ident == "self" => (path.to_vec(), None),
            syn::UseTree::Name(name) => (joined(&name.ident), Some(name.ident.to_string())),
            syn::UseTree::Rename(name) => (joined(&name.ident), Some(name.rename.to_string())),
            syn::UseTree::Glob(_) => (path.to_vec(), None),
        };
        let Some(target) = self.absolute(&path) else { return };
        match shown.filter(|_| is_public) {
            Some(name) => self.exports.push(([self.module.as_slice(), &[name]].concat(), target)),
            None => self.names.push(target),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[], !matches!(item.vis, syn::Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 && path.leading_colon.is_none() {
            self.names.extend(self.absolute(&parts));
        }
        syn::visit::visit_path(self, path);
    }
}

#[test]
fn no_file_imports_in_a_circle() {
    let mut found = Vec::new();
    for folder in crates().into_iter().filter(|folder| folder.join("src").is_dir()) {
        for circle in Graph::of(&folder).circles() {
            let files: Vec<_> = circle.iter().map(|module| module.join("/")).collect();
            let folder = folder.strip_prefix(root()).unwrap().display();
            found.push(format!("{folder}: {}", files.join(" → ")));
        }
    }
    assert!(found.is_empty(), "these files import each other:\n{}", found.join("\n"));
}
