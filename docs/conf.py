"""Sphinx configuration: pages in Markdown, API pages from numpydoc docstrings."""

import sksgd

project = "sksgd"
author = "The sksgd developers"
project_copyright = f"2026, {author}"
version = release = sksgd.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "sg_execution_times.rst", "generated/gallery/sg_execution_times.rst"]
templates_path = ["_templates"]
default_role = "code"

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3

# The scripts run when the pages are built; one that fails ends the build.
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "generated/gallery",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": (),
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sksgd"
html_theme_options = {"show_toc_level": 2}

# One page a module, with its public names; the templates say what of a class is shown.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_ignore_module_all = False
numpydoc_show_class_members = False
