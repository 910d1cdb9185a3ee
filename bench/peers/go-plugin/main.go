// The example no-remove once more, with Docker's Go helpers: the same volumes, the same list of names beside the data.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"sync"

	"github.com/docker/go-plugins-helpers/volume"
)

var goodName = regexp.MustCompile(`^\w[\w.-]*$`)

type noRemove struct {
	root  string
	list  string
	turn  sync.RWMutex
	names map[string]bool
}

func open(root string) (*noRemove, error) {
	d := &noRemove{root: root, list: filepath.Join(root, ".volumes.json"), names: map[string]bool{}}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(d.list)
	if os.IsNotExist(err) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return nil, err
	}
	for _, name := range names {
		d.names[name] = true
	}
	return d, nil
}

// save writes aside and moves into place: a kill in between loses nothing.
func (d *noRemove) save() error {
	text, err := json.Marshal(d.sorted())
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.list+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(d.list+".new", d.list)
}

func (d *noRemove) sorted() []string {
	names := make([]string, 0, len(d.names))
	for name := range d.names {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// find needs the turn, for reading at least.
func (d *noRemove) find(name string) (*volume.Volume, error) {
	if !d.names[name] {
		return nil, fmt.Errorf("no such volume: %s", name)
	}
	return &volume.Volume{Name: name, Mountpoint: filepath.Join(d.root, name)}, nil
}

func (d *noRemove) lookUp(name string) (*volume.Volume, error) {
	d.turn.RLock()
	defer d.turn.RUnlock()
	return d.find(name)
}

func (d *noRemove) Create(r *volume.CreateRequest) error {
	if !goodName.MatchString(r.Name) {
		return fmt.Errorf("a volume cannot be called %q", r.Name)
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	if err := os.MkdirAll(filepath.Join(d.root, r.Name), 0o755); err != nil {
		return err
	}
	d.names[r.Name] = true
	return d.save()
}

func (d *noRemove) Remove(r *volume.RemoveRequest) error {
	d.turn.Lock()
	defer d.turn.Unlock()
	if _, err := d.find(r.Name); err != nil {
		return err
	}
	delete(d.names, r.Name)
	return d.save()
}

func (d *noRemove) Mount(r *volume.MountRequest) (*volume.MountResponse, error) {
	found, err := d.lookUp(r.Name)
	if err != nil {
		return nil, err
	}
	return &volume.MountResponse{Mountpoint: found.Mountpoint}, nil
}

func (d *noRemove) Unmount(*volume.UnmountRequest) error { return nil }

func (d *noRemove) Path(r *volume.PathRequest) (*volume.PathResponse, error) {
	found, err := d.lookUp(r.Name)
	if err != nil {
		return nil, err
	}
	return &volume.PathResponse{Mountpoint: found.Mountpoint}, nil
}

func (d *noRemove) Get(r *volume.GetRequest) (*volume.GetResponse, error) {
	found, err := d.lookUp(r.Name)
	if err != nil {
		return nil, err
	}
	return &volume.GetResponse{Volume: found}, nil
}

func (d *noRemove) List() (*volume.ListResponse, error) {
	d.turn.RLock()
	defer d.turn.RUnlock()
	var volumes []*volume.Volume
	for _, name := range d.sorted() {
		found, err := d.find(name)
		if err != nil {
			return nil, err
		}
		volumes = append(volumes, found)
	}
	return &volume.ListResponse{Volumes: volumes}, nil
}

func (d *noRemove) Capabilities() *volume.CapabilitiesResponse {
	return &volume.CapabilitiesResponse{Capabilities: volume.Capability{Scope: "local"}}
}

func main() {
	socket := flag.String("socket", "", "where it listens")
	root := flag.String("root", "/data", "where the data goes")
	flag.Parse()
	driver, err := open(*root)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(volume.NewHandler(driver).ServeUnix(*socket, 0))
}
