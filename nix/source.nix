# A part of the repository as a source: `wanted` are files and folders at its root, without what
# compilers leave behind. (lib.fileset would do, but wants a Nix of 2.14 or later.)
{ lib }:
name: wanted:
let
  root = toString ../.;
in
lib.cleanSourceWith {
  inherit name;
  src = ../.;
  filter =
    path: _:
    let
      relative = lib.removePrefix "${root}/" path;
      top = lib.head (lib.splitString "/" relative);
    in
    lib.elem top wanted
    && !(lib.hasSuffix ".pyc" path || lib.hasSuffix ".so" path || lib.hasInfix "__pycache__" path);
}
