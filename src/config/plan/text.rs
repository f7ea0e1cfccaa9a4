//! A plan in words.

use std::fmt::{self, Display, Formatter};

use super::{Changed, Deployment, Plan};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing differs\n");
        }
        if !(self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()) {
            f.write_str("Deployments\n")?;
            each(f, "  + ", &self.added)?;
            each(f, "  - ", &self.removed)?;
            each(f, "  ~ ", &self.changed)?;
        }
        if !(self.groups_added.is_empty() && self.groups_removed.is_empty()) {
            f.write_str("Groups\n")?;
            each(f, "  + ", &self.groups_added)?;
            each(f, "  - ", &self.groups_removed)?;
        }
        section(f, "Aliases", &self.aliases)?;
        section(f, "Settings", &self.settings)?;
        section(f, "At the next start", &self.at_next_start)?;
        if self.prices {
            f.write_str("Prices\n  the file of prices says something else\n")?;
        }
        f.write_str(match (self.at_next_start.is_empty(), self.is_for_the_start_alone()) {
            (true, _) => "\nA reload puts all of it in force while calls go on.\n",
            (false, false) => {
                "\nA reload puts it in force while calls go on, but for what stands under \"At the next start\".\n"
            }
            (false, true) => "\nIt takes a restart.\n",
        })
    }
}

impl Plan {
    fn is_for_the_start_alone(&self) -> bool {
        let others = [
            self.aliases.len(),
            self.settings.len(),
            self.added.len(),
            self.removed.len(),
            self.changed.len(),
        ];
        others.iter().sum::<usize>() == 0 && !self.prices
    }
}

fn section(f: &mut Formatter<'_>, title: &str, lines: &[impl Display]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}")?;
    each(f, "  ", lines)
}

fn each(f: &mut Formatter<'_>, mark: &str, lines: &[impl Display]) -> fmt::Result {
    lines
        .iter()
        .try_for_each(|line| writeln!(f, "{mark}{line}"))
}

impl Display for Deployment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.group, self.id, self.calls)
    }
}

impl Display for Changed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.deployment.group, self.deployment.id)?;
        if let Some(id) = &self.new_id {
            write!(f, ", from then on {id}: what is known of it begins anew")?;
        }
        if self.refers_to_others {
            write!(
                f,
                "\n      what it refers to (a credential, a default) says something else"
            )?;
        }
        let mut fields = self.fields.iter();
        fields.try_for_each(|field| write!(f, "\n      {field}"))
    }
}
