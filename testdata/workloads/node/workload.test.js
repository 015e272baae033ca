// What test suites of real projects do, with nothing but Node itself.
import assert from 'node:assert/strict';
import { exec, execFile, fork } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import zlib from 'node:zlib';

test('temporary files', async () => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'workload-'));
  await fs.writeFile(path.join(dir, 'a'), 'content');
  await fs.rename(path.join(dir, 'a'), path.join(dir, 'b'));
  await fs.symlink('b', path.join(dir, 'c'));
  assert.equal(await fs.readFile(path.join(dir, 'c'), 'utf8'), 'content');
  assert.deepEqual((await fs.readdir(dir)).sort(), ['b', 'c']);
  await fs.rm(dir, { recursive: true });
});

test('a change is watched for', { timeout: 20000 }, async () => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'watched-'));
  const stop = new AbortController();
  const events = fs.watch(dir, { signal: stop.signal })[Symbol.asyncIterator]();
  const first = events.next(); // it is watching from here on
  await fs.writeFile(path.join(dir, 'new'), '');
  assert.equal((await first).value.filename, 'new');
  stop.abort();
});

test('the home directory is writable', async () => {
  const cache = path.join(os.homedir(), '.cache', 'workload');
  await fs.mkdir(cache, { recursive: true });
  await fs.writeFile(path.join(cache, 'entry'), 'x');
});

test('a program in the source tree is run by its first line', async () => {
  await fs.writeFile('program', '#!/usr/bin/env node\nconsole.log(process.argv[2])\n', { mode: 0o755 });
  const { stdout } = await promisify(execFile)('./program', ['argument']);
  assert.equal(stdout, 'argument\n');
});

test('a shell and its exit status', async () => {
  await assert.rejects(promisify(exec)('echo told >&2; exit 3'), { code: 3, stderr: 'told\n' });
});

test('a forked process answers over its channel', async () => {
  const child = fork('./child.js');
  child.send(20);
  const [answer] = await once(child, 'message');
  assert.equal(answer, 400);
  child.kill();
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGTERM']);
});

test('worker threads share memory', async () => {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const source = 'const { workerData } = require("node:worker_threads"); for (let i = 0; i < 1000; i++) Atomics.add(workerData, 0, 1)';
  const workers = Array.from({ length: 4 }, () => new Worker(source, { eval: true, workerData: shared }));
  const codes = await Promise.all(workers.map((w) => once(w, 'exit')));
  assert.deepEqual(codes, [[0], [0], [0], [0]]);
  assert.equal(shared[0], 4000);
});

test('a server on the loopback', async () => {
  const server = http.createServer((request, response) => response.end(request.url));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/path`);
  assert.equal(await answer.text(), '/path');
  server.closeAllConnections();
  server.close();
});

test('cryptography', async () => {
  assert.equal(crypto.createHash('sha256').update('abc').digest('hex').slice(0, 16), 'ba7816bf8f01cfea');
  const { publicKey, privateKey } = await promisify(crypto.generateKeyPair)('rsa', { modulusLength: 2048 });
  const signature = crypto.sign('sha256', Buffer.from('text'), privateKey);
  assert.ok(crypto.verify('sha256', Buffer.from('text'), publicKey, signature));
});

test('compiled code', async () => {
  // (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  const code = Buffer.from('0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b', 'hex');
  const { instance } = await WebAssembly.instantiate(code);
  assert.equal(instance.exports.add(40, 2), 42);
});

test('streams are compressed', async () => {
  const text = Buffer.alloc(4 << 20, 'text ');
  const packed = await promisify(zlib.gzip)(text);
  assert.ok(packed.length < text.length / 100);
  assert.ok((await promisify(zlib.gunzip)(packed)).equals(text));
});
