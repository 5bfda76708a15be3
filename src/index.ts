// The public API: an explicit list of names, nothing else.

export {};
