use super::keys::KEYS;
use super::settings::Settings;

/// A settings file in which every setting stands as a comment with its default and what it does.
pub(crate) fn template() -> String {
    let mut text = String::from(
        "# The settings of one node. Flags are stronger than the environment, which is stronger than this file.\n\
         # `dgt config show` tells which value counts and where it came from.\n",
    );
    let mut settings = Settings::default();
    let mut open = "";
    for key in KEYS {
        let (table, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        if table != open {
            text += &format!("\n[{table}]\n");
            open = table;
        }
        let field = key.field(&mut settings);
        let value = if field.is_number() { field.text() } else { format!("{:?}", field.text()) };
        text += &format!("# {}\n# {name} = {value}\n", key.about);
    }
    text
}
