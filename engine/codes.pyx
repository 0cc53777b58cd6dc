"""The numbers of codes.pxd, as Python enums."""
