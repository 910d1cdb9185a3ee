// Calls a volume plugin as often as it answers, and prints how many calls that were in a second. It writes prepared
// bytes and reads no more than it must, so that what is measured is the plugin.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"sync"
	"time"
)

// One call, as dockerd sends it, and nothing else.
func call(method, body string) []byte {
	return []byte(fmt.Sprintf("POST /VolumeDriver.%s HTTP/1.1\r\nHost: plugin\r\nUser-Agent: Go-http-client/1.1\r\n"+
		"Content-Length: %d\r\nAccept: application/vnd.docker.plugins.v1.2+json\r\n\r\n%s", method, len(body), body))
}

// The requests that one connection sends over and over, about a volume of its own.
func round(work, name string) [][]byte {
	named := fmt.Sprintf(`{"Name":"%s"}`, name)
	mount := fmt.Sprintf(`{"Name":"%s","ID":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`, name)
	if work == "path" {
		return [][]byte{call("Path", named)}
	}
	return [][]byte{
		call("Create", fmt.Sprintf(`{"Name":"%s","Opts":null}`, name)), call("Get", named), call("Mount", mount),
		call("Path", named), call("Get", named), call("Unmount", mount), call("Remove", named),
	}
}

type connection struct {
	conn net.Conn
	from *bufio.Reader
}

func dial(socket string) (*connection, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, from: bufio.NewReader(conn)}, nil
}

// The answer must be a success with a length; it must come within five seconds.
func (c *connection) do(request []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	status, err := c.from.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the plugin answered %q to %q", status, request)
	}
	length := -1
	for {
		line, err := c.from.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		key, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(key, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("the plugin's answer to %q has no length", request)
	}
	_, err = io.CopyN(io.Discard, c.from, int64(length))
	return err
}

// Until the end. Returns how many calls were answered.
func drive(c *connection, requests [][]byte, end time.Time) (int, error) {
	for calls := 0; ; {
		for _, request := range requests {
			if time.Now().After(end) {
				return calls, nil
			}
			if err := c.do(request); err != nil {
				return calls, err
			}
			calls++
		}
	}
}

func main() {
	socket := flag.String("socket", "", "the plugin's")
	connections := flag.Int("connections", 1, "how many call at once, each on one that it keeps")
	length := flag.Duration("for", time.Second, "how long")
	work := flag.String("work", "path", "path: Path alone; life: what the life of a volume asks")
	flag.Parse()

	var open []*connection
	for index := 0; index < *connections; index++ {
		c, err := dial(*socket)
		if err != nil {
			log.Fatal(err)
		}
		if err := c.do(call("Create", fmt.Sprintf(`{"Name":"load-%d","Opts":null}`, index))); err != nil {
			log.Fatal(err)
		}
		open = append(open, c)
	}
	var all sync.WaitGroup
	counts := make([]int, len(open))
	begun := time.Now()
	for index, c := range open {
		all.Add(1)
		go func(index int, c *connection) {
			defer all.Done()
			count, err := drive(c, round(*work, fmt.Sprintf("load-%d", index)), begun.Add(*length))
			if err != nil {
				log.Fatal(err)
			}
			counts[index] = count
		}(index, c)
	}
	all.Wait()
	took := time.Since(begun).Seconds()
	sum := 0
	for _, count := range counts {
		sum += count
	}
	fmt.Printf("%.1f\n", float64(sum)/took)
}
