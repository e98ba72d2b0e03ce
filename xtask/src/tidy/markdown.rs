//! The rules for Markdown: one first heading to a file, and links that lead somewhere.

use super::complaint::Complaint;
use super::tree::SourceFile;
use std::path::Path;

pub(super) fn check(root: &Path, files: &[SourceFile]) -> Vec<Complaint> {
    let exists = |path: &Path| root.join(path).exists();
    files.iter().filter(|f| f.has_extension("md")).flat_map(|f| page(f, &exists)).collect()
}

fn page(file: &SourceFile, exists: &dyn Fn(&Path) -> bool) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut headings = 0;
    let mut fence: Option<&str> = None;
    for (number, line) in (1..).zip(file.text.lines()) {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|m| start.starts_with(m));
        if let Some(mark) = mark {
            match fence {
                None => fence = Some(mark),
                Some(open) if open == mark => fence = None,
                Some(_) => {}
            }
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if line.starts_with("# ") || start.starts_with("<h1") {
            headings += 1;
            if headings > 1 {
                let fix = "make it `##`, or a page of its own";
                complaints.push(Complaint::error(&file.path, number, "a second first heading", fix));
            }
        }
        for target in targets(line).into_iter().filter(|t| !resolves(&file.path, t, exists)) {
            let fix = "correct the path (from this file's folder), or take the link out";
            complaints.push(Complaint::error(&file.path, number, format!("`{target}` is not there"), fix));
        }
    }
    if headings == 0 {
        complaints.push(Complaint::error(&file.path, 1, "no first heading", "begin with `# Title`"));
    }
    complaints
}

/// Where the links of a line lead: `[text](target)`, `![text](target "title")` and `[name]: target`.
fn targets(line: &str) -> Vec<String> {
    // Every second piece is code.
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
    let mut targets: Vec<String> = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(|t| t.trim_matches(['<', '>']).to_owned())
        .collect();
    if let Some((name, target)) = prose.split_once("]: ")
        && name.starts_with('[')
        && !name.contains(']')
    {
        targets.extend(target.split_whitespace().next().map(str::to_owned));
    }
    targets
}

fn resolves(page: &str, target: &str, exists: &dyn Fn(&Path) -> bool) -> bool {
    let elsewhere = target.contains("://") || target.starts_with("mailto:") || target.starts_with('#');
    let path = target.split(['#', '?']).next().unwrap_or(target);
    if elsewhere || path.is_empty() {
        return true;
    }
    match path.strip_prefix('/') {
        Some(from_root) => exists(Path::new(from_root)),
        None => exists(&Path::new(page).parent().unwrap_or(Path::new("")).join(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Vec<String> {
        let file = SourceFile { path: "docs/a.md".to_owned(), text: text.to_owned() };
        let exists = |path: &Path| path == Path::new("docs/b.md");
        page(&file, &exists).into_iter().map(|c| format!("{}: {}", c.line, c.what)).collect()
    }

    #[test]
    fn one_heading_and_links_that_lead_somewhere() {
        let good = "# A\n\n[b](b.md#x) [c](https://c.invalid) `[d](d.md)` [e](#e)\n\n```sh\n# no heading\n[f](f.md)\n```\n";
        assert_eq!(heard(good), Vec::<String>::new());
        let bad = "# A\n[x](x.md) ![y](y.png \"Y\")\n# B\n[z]: z.md\n";
        let expected = [
            "2: `x.md` is not there",
            "2: `y.png` is not there",
            "3: a second first heading",
            "4: `z.md` is not there",
        ];
        assert_eq!(heard(bad), expected);
        assert_eq!(heard("text\n"), ["1: no first heading"]);
    }
}
