import static org.junit.Assert.*;

import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;
import java.util.zip.*;
import org.junit.Test;

/** What test suites of real projects do, with nothing but the JDK and JUnit. */
public class WorkloadTest {
    @Test public void temporaryFiles() throws IOException {
        Path dir = Files.createTempDirectory("workload");
        Path file = Files.writeString(dir.resolve("a"), "content");
        Files.move(file, dir.resolve("b"), StandardCopyOption.ATOMIC_MOVE);
        Files.createSymbolicLink(dir.resolve("c"), Path.of("b"));
        assertEquals("content", Files.readString(dir.resolve("c")));
        try (Stream<Path> all = Files.list(dir)) {
            assertEquals(2, all.count());
        }
    }

    @Test public void homeIsWritable() throws IOException {
        Path cache = Files.createDirectories(Path.of(System.getProperty("user.home"), ".cache", "workload"));
        Files.writeString(cache.resolve("entry"), "x");
    }

    @Test public void mappedFile() throws IOException {
        Path path = Files.createTempFile("mapped", null);
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MappedByteBuffer map = file.map(FileChannel.MapMode.READ_WRITE, 0, 16 << 20);
            map.put(map.capacity() - 1, (byte) 'x');
            map.force();
        }
        assertEquals(16 << 20, Files.size(path));
    }

    @Test public void executor() throws Exception {
        try (ExecutorService pool = Executors.newFixedThreadPool(16)) {
            List<Callable<Integer>> squares =
                IntStream.range(0, 200).mapToObj(n -> (Callable<Integer>) () -> n * n).toList();
            int sum = 0;
            for (Future<Integer> square : pool.invokeAll(squares)) {
                sum += square.get();
            }
            assertEquals(2646700, sum);
            Files.writeString(Path.of("/workspace/sum.txt"), "sum " + sum + "\n");
        }
    }

    @Test public void virtualThreads() {
        AtomicInteger ran = new AtomicInteger();
        try (ExecutorService pool = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 5000; i++) {
                pool.submit(ran::incrementAndGet);
            }
        }
        assertEquals(5000, ran.get());
    }

    @Test public void parallelStream() {
        assertEquals(5000050000L, LongStream.rangeClosed(1, 100000).parallel().sum());
    }

    @Test public void processes() throws Exception {
        Process shell = new ProcessBuilder("sh", "-c", "read line; echo \"$line, read\"; exit 3").start();
        try (Writer in = shell.outputWriter()) {
            in.write("text\n");
        }
        assertEquals("text, read", shell.inputReader().readLine());
        assertEquals(3, shell.waitFor());
    }

    @Test public void otherJVM() throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process other = new ProcessBuilder(java, "-version").redirectErrorStream(true).start();
        assertTrue(other.inputReader().lines().anyMatch(line -> line.contains("21.")));
        assertEquals(0, other.waitFor());
    }

    @Test public void serverOnLoopback() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread answering = Thread.ofPlatform().start(() -> {
                try (Socket s = server.accept()) {
                    s.getInputStream().transferTo(s.getOutputStream());
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            try (Socket s = new Socket(server.getInetAddress(), server.getLocalPort())) {
                s.getOutputStream().write("hello".getBytes());
                s.shutdownOutput();
                assertEquals("hello", new String(s.getInputStream().readAllBytes()));
            }
            answering.join();
        }
    }

    @Test public void cryptography() throws Exception {
        byte[] sum = MessageDigest.getInstance("SHA-256").digest("abc".getBytes(StandardCharsets.US_ASCII));
        assertTrue(HexFormat.of().formatHex(sum).startsWith("ba7816bf8f01cfea"));
        KeyPair keys = KeyPairGenerator.getInstance("RSA").generateKeyPair();
        Signature s = Signature.getInstance("SHA256withRSA");
        s.initSign(keys.getPrivate());
        s.update(sum);
        byte[] signed = s.sign();
        s.initVerify(keys.getPublic());
        s.update(sum);
        assertTrue(s.verify(signed));
    }

    @Test public void archive() throws IOException {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(packed)) {
            zip.putNextEntry(new ZipEntry("entry"));
            zip.write(new byte[1 << 20]);
        }
        try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(packed.toByteArray()))) {
            assertEquals("entry", zip.getNextEntry().getName());
            assertEquals(1 << 20, zip.readAllBytes().length);
        }
    }
}
