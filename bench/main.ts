// Benchmarks: never run as timed tests.

process.stdout.write(`No benchmarks yet (arguments: ${process.argv.slice(2).join(" ") || "none"})\n`);
