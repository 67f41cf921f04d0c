//! The templates that are part of the binary. Every file is listed, so that
//! what a tool leaves in those folders never gets in by itself; a test compares
//! the list with the folders.

/// The files of one template: path and content.
type Files = &'static [(&'static str, &'static [u8])];

macro_rules! files {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../templates/", $folder, "/", $path)))),*]
    };
}

/// Name and files of each.
pub(super) const TEMPLATES: &[(&str, Files)] = &[(
    "react-vite-tailwind",
    files!("react-vite-tailwind":
        "kiln.toml",
        ".gitignore",
        "bun.lock",
        "index.html",
        "package.json",
        "public/favicon.svg",
        "src/App.tsx",
        "src/index.css",
        "src/main.tsx",
        "tsconfig.json",
        "vite.config.ts",
    ),
)];
