//go:build linux && (amd64 || arm64)

package probe

import (
	"os"
	"path/filepath"
	"syscall"
)

func init() {
	modes["leave-files"] = func(args []string) {
		for _, dir := range append(writableDirs, "/", "/etc", "/sbin") {
			try("a file in "+dir, os.WriteFile(filepath.Join(dir, args[0]), []byte(args[0]), 0o755))
		}
	}
	modes["find-files"] = func(args []string) {
		for _, dir := range append(writableDirs, "/", "/etc", "/sbin") {
			_, err := os.Stat(filepath.Join(dir, args[0]))
			try("the file in "+dir, err)
		}
	}
	modes["leave-shm"] = func([]string) {
		try("a segment", failed(call(syscall.SYS_SHMGET, ipcKey, 4096, ipcCreate|0o666)))
		try("a semaphore", failed(call(syscall.SYS_SEMGET, ipcKey, 1, ipcCreate|0o666)))
		try("a queue", failed(call(syscall.SYS_MSGGET, ipcKey, ipcCreate|0o666)))
	}
	modes["find-shm"] = func([]string) {
		try("the segment", failed(call(syscall.SYS_SHMGET, ipcKey, 0, 0)))
		try("the semaphore", failed(call(syscall.SYS_SEMGET, ipcKey, 0, 0)))
		try("the queue", failed(call(syscall.SYS_MSGGET, ipcKey, 0)))
	}
	modes["leave-mqueue"] = func([]string) {
		try("a queue", failed(call(syscall.SYS_MQ_OPEN, cString("attack"), syscall.O_CREAT|syscall.O_RDWR, 0o666, 0)))
	}
	modes["find-mqueue"] = func([]string) {
		try("the queue", failed(call(syscall.SYS_MQ_OPEN, cString("attack"), syscall.O_RDWR, 0, 0)))
	}
	modes["leave-key"] = func([]string) {
		try("a key", failed(call(syscall.SYS_ADD_KEY, cString("user"), cString("attack"), cString("secret"), 6, userKeyring)))
	}
	modes["find-key"] = func([]string) {
		try("the key", failed(call(syscall.SYS_REQUEST_KEY, cString("user"), cString("attack"), 0, 0)))
		const search = 10
		try("the key in the user's keyring", failed(call(syscall.SYS_KEYCTL, search, userKeyring, cString("user"), cString("attack"), 0)))
	}
}

const (
	ipcKey    = 0x5a5b0c
	ipcCreate = 0o1000
)
