"""What test suites of real projects do, with nothing but the standard library."""

import ctypes
import hashlib
import multiprocessing
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory


def square(n):
    return n * n


def put_squares(queue, slots, numbers):
    for n in numbers:
        with slots:
            queue.put(square(n))


class Files(unittest.TestCase):
    def test_temporary_program_runs(self):
        with tempfile.TemporaryDirectory() as directory:
            program = pathlib.Path(directory, "program")
            program.write_text(f"#!{sys.executable}\nprint('ran')\n")
            program.chmod(0o755)
            self.assertEqual(subprocess.check_output([program], text=True), "ran\n")
        self.assertFalse(os.path.exists(directory))

    def test_home_is_writable(self):
        cache = pathlib.Path.home() / ".cache" / "workload"
        cache.mkdir(parents=True)
        (cache / "entry").write_bytes(b"x" * 1000)
        self.assertEqual((cache / "entry").stat().st_size, 1000)

    def test_sqlite(self):
        with tempfile.TemporaryDirectory(dir=".") as directory:
            db = sqlite3.connect(os.path.join(directory, "numbers.db"))
            # Its index is shared memory in a file.
            self.assertEqual(db.execute("PRAGMA journal_mode=WAL").fetchone(), ("wal",))
            db.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, square INTEGER)")
            with db:
                db.executemany("INSERT INTO numbers VALUES (?, ?)", ((n, square(n)) for n in range(1000)))
            self.assertEqual(db.execute("SELECT count(*), sum(square) FROM numbers").fetchone(), (1000, 332833500))
            db.execute("VACUUM INTO '/workspace/numbers.db'")
            db.close()


class Processes(unittest.TestCase):
    def test_pipes_and_exit_status(self):
        script = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(3)"
        done = subprocess.run([sys.executable, "-c", script], input="text", capture_output=True, text=True)
        self.assertEqual((done.stdout, done.returncode), ("TEXT", 3))

    def test_signal_ends_a_child(self):
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            child.terminate()
            self.assertEqual(child.wait(), -signal.SIGTERM)

    def test_queue_and_semaphore(self):
        for method in "fork", "spawn", "forkserver":
            with self.subTest(method):
                context = multiprocessing.get_context(method)
                queue, slots = context.Queue(), context.Semaphore(2)
                workers = [context.Process(target=put_squares, args=(queue, slots, range(i, 40, 4))) for i in range(4)]
                for w in workers:
                    w.start()
                self.assertEqual(sum(queue.get() for _ in range(40)), 20540)
                for w in workers:
                    w.join()
                    self.assertEqual(w.exitcode, 0)

    def test_process_pool(self):
        with ProcessPoolExecutor(4) as pool:
            self.assertEqual(sum(pool.map(square, range(100), chunksize=10)), 328350)

    def test_shared_memory(self):
        memory = shared_memory.SharedMemory(create=True, size=8 << 20)
        try:
            memory.buf[-4:] = b"last"
            other = shared_memory.SharedMemory(memory.name)
            self.assertEqual(bytes(other.buf[-4:]), b"last")
            other.close()
        finally:
            memory.close()
            memory.unlink()


class Threads(unittest.TestCase):
    def test_lock_and_barrier(self):
        total, lock, barrier = 0, threading.Lock(), threading.Barrier(32)

        def add():
            nonlocal total
            barrier.wait()
            for _ in range(100):
                with lock:
                    total += 1

        threads = [threading.Thread(target=add) for _ in range(32)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(total, 3200)


class Libraries(unittest.TestCase):
    def test_hashes(self):
        self.assertEqual(
            hashlib.sha256(b"abc").hexdigest(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        )
        # The example of RFC 7914.
        key = hashlib.scrypt(b"password", salt=b"NaCl", n=1024, r=8, p=16, dklen=64)
        self.assertTrue(key.hex().startswith("fdbabe1c9d3472007856e7190d01e9fe"))

    def test_foreign_function(self):
        compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
        numbers = (ctypes.c_int * 5)(5, 1, 7, 33, 99)
        ctypes.CDLL(None).qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: b[0] - a[0]))
        self.assertEqual(list(numbers), [99, 33, 7, 5, 1])

    def test_server_on_loopback(self):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def echo():
                connection, _ = server.accept()
                with connection:
                    connection.sendall(connection.recv(100).upper())

            answering = threading.Thread(target=echo)
            answering.start()
            with socket.create_connection(server.getsockname(), timeout=10) as client:
                client.sendall(b"hello")
                self.assertEqual(client.recv(100), b"HELLO")
            answering.join()
