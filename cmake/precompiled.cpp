// Nothing to compile here: a library that carries precompiled headers needs one source file.
