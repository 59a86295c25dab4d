"""The page: people's words and pictures into requests, jobs and plans into something to look at."""
