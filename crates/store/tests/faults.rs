//! Crashes and failing disks at every write, sync, rename and removal: child processes run under failpoints.
