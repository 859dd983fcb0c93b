"""The site's pages for people. It owns no data; it shows what others keep."""
