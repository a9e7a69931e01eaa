//! Tables and properties of the parser.
