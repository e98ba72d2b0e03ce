//! The house rules that no compiler knows: what each says, where it is broken, and how to mend it.
//!
//! Runs as `cargo xtask tidy` and as a test. Each part reads the tree and returns complaints; none changes it.

mod complaint;
mod dialects;
mod floors;
mod lexer;
mod markdown;
mod sources;
mod tree;

use crate::report::{Report, Trouble};
use complaint::{Complaint, Weight};
use std::path::Path;

/// The step: prints the warnings, fails with the errors.
pub(crate) fn run(root: &Path, report: &mut Report) {
    let mut warnings = Vec::new();
    report.step("tidy and floors", || {
        let (errors, gentle) = check(root)?;
        warnings = gentle;
        if errors.is_empty() {
            return Ok(remark(&warnings));
        }
        let all: Vec<String> = errors.iter().chain(&warnings).map(Complaint::to_string).collect();
        Err(Trouble::new(all.join("\n"), format!("mend the {} above", errors.len())))
    });
    for warning in warnings {
        println!("    {warning}");
    }
}

/// Every complaint, errors apart from warnings.
fn check(root: &Path) -> Result<(Vec<Complaint>, Vec<Complaint>), Trouble> {
    let files = tree::files(root);
    let metadata = crate::cargo::metadata(root)?;
    let mut all = floors::check(root, &metadata);
    all.extend(sources::check(&files));
    all.extend(dialects::check(root, &files));
    all.extend(markdown::check(root, &files));
    all.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(all.into_iter().partition(|c| c.weight == Weight::Error))
}

fn remark(warnings: &[Complaint]) -> String {
    if warnings.is_empty() { String::new() } else { format!("{} warnings", warnings.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let (errors, _) = check(&crate::root()).unwrap_or_else(|t| panic!("{}\n{}", t.what, t.remedy));
        let lines: Vec<String> = errors.iter().map(Complaint::to_string).collect();
        assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    }
}
