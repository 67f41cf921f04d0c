//! Everything that can be done with a key or from the palette: its words, where
//! it works, and the keys that do it unless the configuration says otherwise.

/// Where keys work. The innermost comes first when a key is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everywhere.
    Everywhere,
    /// Whatever scrolls or has a selection.
    Pane,
    /// The list of projects.
    Projects,
    /// The workspace of a project, whichever pane has the keys.
    Workspace,
    /// The prompt.
    Prompt,
    /// The conversation.
    Conversation,
    /// The tree of files.
    Tree,
    /// The file that is shown.
    Viewer,
    /// The output of the sandbox.
    Logs,
    /// A page of text, such as the help.
    Page,
    /// Signing in and up.
    SignIn,
}

impl Scope {
    /// Whether keys of the other place, an inner one, work where these do too.
    #[must_use]
    pub fn meets(self, inner: Self) -> bool {
        match self {
            Self::Everywhere => inner != Self::Everywhere,
            Self::Workspace => matches!(
                inner,
                Self::Pane
                    | Self::Prompt
                    | Self::Conversation
                    | Self::Tree
                    | Self::Viewer
                    | Self::Logs
            ),
            Self::Pane => matches!(
                inner,
                Self::Projects
                    | Self::Conversation
                    | Self::Tree
                    | Self::Viewer
                    | Self::Logs
                    | Self::Page
            ),
            Self::Projects
            | Self::Prompt
            | Self::Conversation
            | Self::Tree
            | Self::Viewer
            | Self::Logs
            | Self::Page
            | Self::SignIn => false,
        }
    }

    /// Its heading in the help.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Pane => "Moving",
            Self::Projects => "Projects",
            Self::Workspace => "Workspace",
            Self::Prompt => "Prompt",
            Self::Conversation => "Conversation",
            Self::Tree => "Files",
            Self::Viewer => "File",
            Self::Logs => "Logs",
            Self::Page => "Page",
            Self::SignIn => "Signing in",
        }
    }
}

/// What the table says of an action.
#[derive(Debug)]
pub struct Entry {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// Where its keys work.
    pub scope: Scope,
    /// Its keys, as people write them; the first is shown in hints.
    pub keys: &'static [&'static str],
    /// Whether the palette offers it: not what is a mere movement.
    pub palette: bool,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident { $name:literal, $title:literal, $scope:ident, [$($key:literal),*], $palette:ident })*) => {
        /// Something that can be done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = $title] $action,)*
        }

        impl Action {
            /// All of them, in the order of the help.
            pub const ALL: &'static [Self] = &[$(Self::$action,)*];

            /// What the table says of it.
            #[must_use]
            pub fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$action => &Entry {
                        name: $name,
                        title: $title,
                        scope: Scope::$scope,
                        keys: &[$($key),*],
                        palette: actions!(@$palette),
                    },)*
                }
            }
        }
    };
    (@listed) => { true };
    (@hidden) => { false };
}

actions! {
    Palette { "palette", "find anything that can be done", Everywhere, ["ctrl-p"], hidden }
    Help { "help", "show every key", Everywhere, ["?", "f1"], listed }
    Back { "back", "go back, close what is open", Everywhere, ["esc"], hidden }
    Interrupt { "interrupt", "cancel what runs, then quit", Everywhere, ["ctrl-c"], hidden }
    Quit { "quit", "quit; the daemon and the apps go on", Everywhere, ["ctrl-q", "q"], listed }
    Suspend { "suspend", "suspend to the shell (fg comes back)", Everywhere, ["ctrl-z"], listed }
    Redraw { "redraw", "draw the screen anew", Everywhere, ["ctrl-l"], hidden }
    Retry { "retry", "connect now", Everywhere, ["ctrl-r"], listed }
    Models { "models", "choose a model", Everywhere, ["alt-m", "ctrl-t"], listed }
    Provider { "provider", "choose where models come from (provider)", Everywhere, [], listed }
    Settings { "settings", "settings: theme, mouse", Everywhere, ["f2"], listed }
    NextTheme { "next-theme", "next theme", Everywhere, [], listed }
    ToggleMouse { "toggle-mouse", "mouse on or off (off: the terminal selects text)", Everywhere, ["f3"], listed }
    Grpcurl { "grpcurl", "show the grpcurl line for this screen", Everywhere, ["f4"], listed }
    SignOut { "sign-out", "sign out of this server", Everywhere, [], listed }

    Up { "up", "up", Pane, ["up", "k"], hidden }
    Down { "down", "down", Pane, ["down", "j"], hidden }
    PageUp { "page-up", "a page up", Pane, ["pageup", "ctrl-u"], hidden }
    PageDown { "page-down", "a page down", Pane, ["pagedown", "ctrl-d"], hidden }
    Top { "top", "to the beginning", Pane, ["home", "g"], hidden }
    Bottom { "bottom", "to the end, and follow", Pane, ["end", "G"], hidden }
    Left { "left", "left", Pane, ["left", "h"], hidden }
    Right { "right", "right", Pane, ["right", "l"], hidden }
    Search { "search", "search", Pane, ["/", "ctrl-f"], listed }
    NextMatch { "next-match", "next match", Pane, ["n"], hidden }
    PreviousMatch { "previous-match", "previous match", Pane, ["N"], hidden }
    Select { "select", "open, or fold and unfold", Pane, ["enter", "space"], hidden }
    Copy { "copy", "copy what is selected", Pane, ["y"], listed }

    OpenProject { "open-project", "open the project", Projects, ["enter"], hidden }
    NewProject { "new-project", "new project", Projects, ["n", "ctrl-n"], listed }
    RenameProject { "rename-project", "rename the project", Projects, ["r"], listed }
    DeleteProject { "delete-project", "delete the project", Projects, ["d", "delete"], listed }
    FilterProjects { "filter-projects", "filter the list", Projects, ["/"], listed }
    OpenListedPreview { "open-listed-preview", "open the app in a browser", Projects, ["o", "ctrl-o"], hidden }

    NextPane { "next-pane", "next pane", Workspace, ["tab"], hidden }
    PreviousPane { "previous-pane", "previous pane", Workspace, ["shift-tab"], hidden }
    ShowConversation { "show-conversation", "show the conversation", Workspace, ["alt-1", "f5"], listed }
    ShowFiles { "show-files", "show the files", Workspace, ["alt-2", "f6"], listed }
    ShowLogs { "show-logs", "show the logs", Workspace, ["alt-3", "f7"], listed }
    WritePrompt { "write-prompt", "write a prompt", Workspace, ["i"], listed }
    OpenPreview { "open-preview", "open the app in a browser", Workspace, ["ctrl-o", "o"], listed }
    CopyAddress { "copy-address", "copy the app's address", Workspace, ["ctrl-y"], listed }
    CancelGeneration { "cancel-generation", "cancel what runs", Workspace, ["ctrl-x"], listed }
    StartApp { "start-app", "start the app", Workspace, ["alt-s"], listed }
    StopApp { "stop-app", "stop the app", Workspace, [], listed }
    RestartApp { "restart-app", "restart the app", Workspace, ["alt-r"], listed }
    ToProjects { "to-projects", "go to the projects", Workspace, ["alt-p"], listed }

    Send { "send", "send", Prompt, ["enter"], hidden }
    Newline { "newline", "new line", Prompt, ["alt-enter", "shift-enter", "ctrl-j"], hidden }
    PreviousPrompt { "previous-prompt", "the prompt before", Prompt, ["ctrl-up", "alt-up"], hidden }
    NextPrompt { "next-prompt", "the prompt after", Prompt, ["ctrl-down", "alt-down"], hidden }
    EditPrompt { "edit-prompt", "write the prompt in $EDITOR", Prompt, ["ctrl-g"], listed }

    FoldAll { "fold-all", "fold or unfold everything", Conversation, ["z"], listed }
    PreviousTurn { "previous-turn", "the prompt before", Conversation, ["["], hidden }
    NextTurn { "next-turn", "the prompt after", Conversation, ["]"], hidden }

    CloseFile { "close-file", "close the file", Viewer, ["x"], hidden }
    WrapFile { "wrap-file", "wrap long lines", Viewer, ["w"], hidden }

    FollowLogs { "follow-logs", "follow the end, or stop", Logs, ["f"], listed }
    WrapLogs { "wrap-logs", "wrap long lines", Logs, ["w"], listed }
    LogTimes { "log-times", "show times", Logs, ["t"], listed }
    LogStream { "log-stream", "streams: all, app, errors, steps, each step", Logs, ["s"], listed }
    OnlyMatches { "only-matches", "only lines that match the search", Logs, ["m"], listed }
    SaveLogs { "save-logs", "save to a file", Logs, ["S"], listed }

    SwitchSignIn { "switch-sign-in", "sign up rather than in, and back", SignIn, ["alt-u"], listed }

    ClosePage { "close-page", "close", Page, ["q", "enter"], hidden }
}
