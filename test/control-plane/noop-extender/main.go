// An extender that takes every node: what asking an extender costs by itself.
//
// It reads no more of a request than it must and sends the names back as they came; kube-scheduler binds.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

type args struct {
	NodeNames             json.RawMessage
	NodeNameToMetaVictims json.RawMessage
}

type filterResult struct {
	NodeNames json.RawMessage
	Error     string
}

type preemptResult struct {
	NodeNameToMetaVictims json.RawMessage
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: noop-extender HOST:PORT")
	}
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/filter", answer(func(a args) any { return filterResult{NodeNames: a.NodeNames} }))
	http.HandleFunc("/preempt", answer(func(a args) any { return preemptResult{a.NodeNameToMetaVictims} }))
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

func answer(result func(args) any) http.HandlerFunc {
	return func(to http.ResponseWriter, from *http.Request) {
		var a args
		body, err := io.ReadAll(from.Body)
		if err == nil {
			err = json.Unmarshal(body, &a)
		}
		if err != nil {
			http.Error(to, err.Error(), http.StatusBadRequest)
			return
		}
		text, err := json.Marshal(result(a))
		if err != nil {
			http.Error(to, err.Error(), http.StatusInternalServerError)
			return
		}
		to.Header().Set("Content-Type", "application/json")
		_, _ = to.Write(text)
	}
}
