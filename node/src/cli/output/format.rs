use clap::{Args, ValueEnum};

/// How a list looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// Aligned columns.
    Default,
    /// Comma-separated values, the first line with the names.
    Csv,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// How one thing looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DocumentFormat {
    /// What reads best: YAML, or text for people.
    Default,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// The flag for the look of a list.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct ListStyle {
    /// How the list looks.
    #[arg(short = 'F', long, value_enum, default_value_t = Format::Default)]
    pub(in crate::cli) format: Format,
}

/// The flag for the look of one thing.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct DocumentStyle {
    /// How it looks.
    #[arg(short = 'F', long, value_enum, default_value_t = DocumentFormat::Default)]
    pub(in crate::cli) format: DocumentFormat,
}
