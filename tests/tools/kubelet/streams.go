package main

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// tailBytes is how much of the end of stdout and of stderr the log keeps.
const tailBytes = 2048

// outputStream is a process's stdout or stderr on its way to a client.
type outputStream struct {
	// end is what the process gets. It can be read as well as written, so that a process that outlives this program
	// is not ended by a broken pipe; containerd holds its pipes in the same way.
	end  *os.File
	from *os.File
	done sync.WaitGroup

	lock sync.Mutex
	tail []byte
}

// newOutputStream copies to the client until nobody holds the stream any more. A client that has gone is no reason to
// stop reading: the process must not block.
func newOutputStream(client io.Writer) (*outputStream, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	end, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", writer.Fd()), os.O_RDWR, 0)
	writer.Close()
	if err != nil {
		reader.Close()
		return nil, err
	}
	stream := &outputStream{end: end, from: reader}
	stream.done.Go(func() { stream.copy(client) })
	return stream, nil
}

func (s *outputStream) copy(client io.Writer) {
	defer s.from.Close()
	gone := client == nil
	buffer := make([]byte, 32*1024)
	for {
		n, err := s.from.Read(buffer)
		s.keep(buffer[:n])
		if !gone && n > 0 {
			_, writeError := client.Write(buffer[:n])
			gone = writeError != nil
		}
		if err != nil {
			return
		}
	}
}

func (s *outputStream) keep(data []byte) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.tail = append(s.tail, data...)
	if surplus := len(s.tail) - tailBytes; surplus > 0 {
		s.tail = append(s.tail[:0], s.tail[surplus:]...)
	}
}

// letGo closes this program's own end, after the process was started with it or could not be.
func (s *outputStream) letGo() { s.end.Close() }

// released waits until nobody holds the stream.
func (s *outputStream) released() { s.done.Wait() }

// lastText is the end of what was written so far.
func (s *outputStream) lastText() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return string(s.tail)
}
