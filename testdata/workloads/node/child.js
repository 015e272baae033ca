process.on('message', (n) => process.send(n * n));
