//! The one writer of events: commit, then publish.
