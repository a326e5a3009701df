"""Parts of `bench soak`: kills, full disks, crowds and moves, each checked for what was lost."""
