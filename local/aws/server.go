package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"citystream/engine/port"
)

// Options say how to run the endpoint. Dir, Listen, AccessKey, SecretKey and Objects are needed.
type Options struct {
	Dir       string // of the catalog and of temporary files; one process at a time has it
	Listen    string // a loopback address, for example 127.0.0.1:0; with Public any
	Public    bool   // other machines may reach it: requests are signed, but what they carry is not encrypted
	AccessKey string
	SecretKey string
	Region    string // that requests must be signed for; "" takes any
	Objects   Objects
	Store     func(bucket string) (port.Store, error) // to write to; nil: statements that write fail, results are read from the endpoint only
	Logger    *slog.Logger                            // default: nowhere

	QueriesAtOnce  int   // default 2
	QueriesWaiting int   // default 32; further ones are refused
	QueriesKept    int   // finished executions whose results can still be read; default 64
	ResultRows     int   // of one query; default 1,000,000
	ResultBytes    int64 // of one query; default 64 MiB
	MemoryBytes    int64 // of one query's engine; default 1 GiB, the rest goes to disk
	Threads        int   // of one query's engine; default the number of processors
}

func (o *Options) fillIn() error {
	var faults []error
	for _, need := range []struct {
		missing bool
		name    string
	}{
		{o.Dir == "", "Dir"},
		{o.Listen == "", "Listen"},
		{o.AccessKey == "", "AccessKey"},
		{o.SecretKey == "", "SecretKey"},
		{o.Objects == nil, "Objects"},
	} {
		if need.missing {
			faults = append(faults, fmt.Errorf("%s is missing", need.name))
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for value, standard := range map[*int]int{
		&o.QueriesAtOnce: 2, &o.QueriesWaiting: 32, &o.QueriesKept: 64, &o.ResultRows: 1_000_000, &o.Threads: runtime.NumCPU(),
	} {
		if *value <= 0 {
			*value = standard
		}
	}
	for value, standard := range map[*int64]int64{&o.ResultBytes: 64 << 20, &o.MemoryBytes: 1 << 30} {
		if *value <= 0 {
			*value = standard
		}
	}
	return errors.Join(faults...)
}

const (
	bodyMax      = 8 << 20 // the largest request: a hundred partitions with wide schemas are far below
	contentType  = "application/x-amz-json-1.1"
	healthPath   = "/healthz" // for the health check of a container
	shutdownWait = 5 * time.Second
)

// A Server is a running endpoint.
type Server struct {
	log      *slog.Logger
	lock     *flock.Flock
	catalog  *catalog
	glue     *glue
	keeper   *keeper
	athena   *athena
	redshift *redshift
	verifier *verifier
	handlers map[string]handler // by X-Amz-Target
	listener net.Listener
	http     *http.Server
	done     chan struct{} // closed when http has ended
}

// A handler answers one operation.
type handler func(body []byte) (any, error)

// handle makes a handler of a function of an operation's own types.
func handle[In, Out any](f func(*In) (Out, error)) handler {
	return func(body []byte) (any, error) {
		in := new(In)
		if err := json.Unmarshal(body, in); err != nil {
			return nil, fault("SerializationException", "The request could not be read: %v", err)
		}
		return f(in)
	}
}

// Open reads the catalog under Dir and serves until Close.
func Open(o Options) (*Server, error) {
	if err := o.fillIn(); err != nil {
		return nil, fmt.Errorf("local AWS endpoint: %w", err)
	}
	s := &Server{
		log: o.Logger, lock: flock.New(filepath.Join(o.Dir, "lock")), done: make(chan struct{}),
		verifier: &verifier{accessKey: o.AccessKey, secretKey: o.SecretKey, region: o.Region, now: time.Now},
	}
	if err := s.open(o); err != nil {
		return nil, fmt.Errorf("local AWS endpoint: %w", errors.Join(err, s.release()))
	}
	go s.serve()
	return s, nil
}

// open takes what the server needs, one after the other; release gives back what was taken.
func (s *Server) open(o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("make its directory: %w", err)
	}
	switch locked, err := s.lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("lock its directory: %w", err)
	case !locked:
		return fmt.Errorf("another process uses %s: end it, or choose another directory", o.Dir)
	}
	var err error
	s.catalog, err = openCatalog(filepath.Join(o.Dir, "catalog.journal"), func(err error) {
		s.log.Warn("the catalog's journal could not be rewritten; it goes on growing", "error", err)
	})
	if err != nil {
		return err
	}
	spill := filepath.Join(o.Dir, "spill")
	if err := os.RemoveAll(spill); err != nil {
		return fmt.Errorf("clear temporary files: %w", err)
	}
	if s.keeper, err = openKeeper(filepath.Join(o.Dir, "athena.journal")); err != nil {
		return err
	}
	define := &definer{catalog: s.catalog, objects: o.Objects, writer: &writer{o.Store}, glue: s.callGlue}
	s.athena = newAthena(o, s.catalog, newEngine(o, define, spill), s.keeper)
	s.handlers = map[string]handler{}
	s.glue = newGlue(o, s.catalog)
	for name, h := range s.glue.handlers() {
		s.handlers["AWSGlue."+name] = h
	}
	for name, h := range s.athena.handlers() {
		s.handlers["AmazonAthena."+name] = h
	}
	s.redshift = newRedshift(o, newWarehouse(o, s.catalog, filepath.Join(o.Dir, "redshift"), filepath.Join(spill, "redshift")))
	for name, h := range s.redshift.handlers() {
		s.handlers["RedshiftData."+name] = h
	}
	s.listener, err = listen(o)
	if err != nil {
		return err
	}
	fresh := &newConns{open: map[net.Conn]bool{}}
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 5 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), ConnState: fresh.watch,
	}
	s.http.RegisterOnShutdown(fresh.close)
	return nil
}

// listen listens where only this machine can reach, unless it is to be public.
func listen(o Options) (net.Listener, error) {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", o.Listen, err)
	}
	if ip := net.ParseIP(host); !o.Public && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen on %q: this endpoint is for this machine alone: give a loopback address such as 127.0.0.1:0", o.Listen)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s (is the port taken? choose another, or 0 for a free one): %w", o.Listen, err)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); !o.Public && (!ok || !tcp.IP.IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("listen on %q: the name does not lead to a loopback address", o.Listen), l.Close())
	}
	return l, nil
}

func (s *Server) serve() {
	defer close(s.done)
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("the local AWS endpoint ended", "error", err)
	}
}

// Addr returns the address that the endpoint listens on, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close stops running queries, answers what was asked, and gives the directory back.
func (s *Server) Close() error {
	s.athena.close()
	s.redshift.runs.end()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownWait)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) { // a client that does not take its answer
		err = s.http.Close()
	}
	if err != nil {
		err = fmt.Errorf("shut the local AWS endpoint down: %w", err)
	}
	<-s.done
	return errors.Join(err, s.release())
}

// release gives back what open took, however far it came.
func (s *Server) release() error {
	var faults []error
	if s.listener != nil && s.http == nil {
		faults = append(faults, s.listener.Close())
	}
	if s.athena != nil {
		s.athena.close()
	}
	if s.glue != nil {
		s.glue.close()
	}
	if s.keeper != nil {
		faults = append(faults, s.keeper.close())
	}
	if s.redshift != nil {
		faults = append(faults, s.redshift.close())
	}
	if s.catalog != nil {
		faults = append(faults, s.catalog.close())
	}
	return errors.Join(append(faults, s.lock.Unlock())...)
}

// ServeHTTP answers one request: all operations are a POST to / that names them in a header.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == healthPath {
		_, _ = io.WriteString(w, "ok\n") // to whoever asks, signed or not: it says nothing else
		return
	}
	id := uuid.NewString()
	answer, err := s.answer(w, r)
	status := http.StatusOK
	if err != nil {
		e := asFault(err)
		status = e.code()
		body := map[string]string{"__type": e.kind, "Message": e.message, "message": e.message}
		maps.Copy(body, e.more)
		answer = body
		s.log.Debug("request refused", "target", r.Header.Get("X-Amz-Target"), "type", e.kind, "message", e.message, "request", id)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"__type":"InternalServiceException","message":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-RequestId", id)
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error here is a client that went away
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) (any, error) {
	if r.URL.Path != "/" || r.URL.RawQuery != "" || r.Method != http.MethodPost {
		return nil, unknownOperation(r.Method + " " + r.URL.Path)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, &apiError{
				kind: "RequestEntityTooLargeException", status: http.StatusRequestEntityTooLarge,
				message: fmt.Sprintf("A request has %d bytes at most.", bodyMax),
			}
		}
		return nil, fault("SerializationException", "The request could not be read: %v", err)
	}
	target := r.Header.Get("X-Amz-Target")
	service, err := serviceOf(target)
	if err != nil {
		return nil, err
	}
	if err := s.verifier.verify(r, body, service); err != nil {
		return nil, err
	}
	h := s.handlers[target]
	if h == nil {
		return nil, unknownOperation(target)
	}
	return h(body)
}

// callGlue asks for an operation of Glue from within.
func (s *Server) callGlue(operation string, body []byte) (any, error) {
	h := s.handlers["AWSGlue."+operation]
	if h == nil {
		return nil, unknownOperation("AWSGlue." + operation)
	}
	return h(body)
}

// serviceOf returns the name that a target's service has in signatures.
func serviceOf(target string) (string, error) {
	switch prefix, _, _ := strings.Cut(target, "."); prefix {
	case "AWSGlue":
		return "glue", nil
	case "AmazonAthena":
		return "athena", nil
	case "RedshiftData":
		return "redshift-data", nil
	}
	return "", unknownOperation(target)
}

func unknownOperation(target string) error {
	return fault("UnknownOperationException", "The operation %q is not one of this local endpoint, which knows parts of Glue, Athena and the Redshift Data API.", target)
}
