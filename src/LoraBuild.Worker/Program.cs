// Entry point of `lorabuild`.
return 2;
