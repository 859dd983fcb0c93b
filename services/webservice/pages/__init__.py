"""One module per page or form: what is asked, what is shown. Rules are in the modules beside."""
