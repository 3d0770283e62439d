package graph_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"fwpush/cmd/fwpush/internal/graph"
)

// TestPage opens the page in a browser without a window, types into the filter and
// opens a cell.
func TestPage(t *testing.T) {
	page := draw(t, func(w io.Writer) error { return graph.HTML(w, `fleet "x" <b>`, hostile) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	}))
	defer server.Close()

	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	var mu sync.Mutex
	var complaints []string
	listen := func(e any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := e.(type) {
		case *cdpruntime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		case *cdpruntime.EventConsoleAPICalled:
			complaints = append(complaints, string(e.Type))
		}
	}
	browser, quit := chromedp.NewContext(alloc, chromedp.WithListener(listen))
	defer quit()
	ctx, cancel := context.WithTimeout(browser, 2*time.Minute)
	defer cancel()

	const shown = `[...document.querySelectorAll("#matrix tbody tr")].filter(r => !r.hidden).map(r => r.dataset.node)`
	const columns = `[...document.querySelectorAll("#matrix thead th[data-node]")].filter(h => !h.hidden).map(h => h.dataset.node)`
	const open = `td[data-from="internet"][data-to="role:web"] `
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%v (this test needs chromium: tools/deps test installs it)", err)
		}
	}
	do(chromedp.Navigate(server.URL))
	heading := seen(t, ctx, chromedp.Text("h1"))
	all := seen(t, ctx, chromedp.Evaluate[[]string](shown))
	scripts := seen(t, ctx, chromedp.Evaluate[[]string](`[...document.scripts].map(s => s.src)`))
	asked := seen(t, ctx, chromedp.Evaluate[[]string](`performance.getEntriesByType("resource").map(e => e.name)`))
	before := seen(t, ctx, chromedp.Text(open+"summary"))
	through := seen(t, ctx, chromedp.Evaluate[int](through))
	do(chromedp.Click(open+"summary"), chromedp.WaitVisible(open+"li"))
	rule := seen(t, ctx, chromedp.Text(open+"ul"))
	do(chromedp.SendKeys("#filter", "postgres web"))
	byName := seen(t, ctx, chromedp.Evaluate[[]string](columns))
	seen(t, ctx, chromedp.Evaluate[string](`document.getElementById("filter").value = ""`))
	do(chromedp.SendKeys("#filter", "5432 web"))
	rows, cols := seen(t, ctx, chromedp.Evaluate[[]string](shown)), seen(t, ctx, chromedp.Evaluate[[]string](columns))
	do(chromedp.SendKeys("#filter", " nothing"))
	none := seen(t, ctx, chromedp.Evaluate[[]string](shown))
	if heading != `fleet "x" <b>: who may talk to whom` {
		t.Errorf("heading %q", heading)
	}
	if len(all) != 4 || all[2] != hostile.Nodes[2].Name {
		t.Errorf("rows %q", all)
	}
	if before != "http (tcp/80), tcp/8443, ping" || !strings.Contains(rule, "web, fleet.toml:7:3, limit 6/min") {
		t.Errorf("cell %q, rules %q", before, rule)
	}
	if !slices.Equal(rows, []string{"role:web"}) || !slices.Equal(cols, []string{"role:db"}) || !slices.Equal(byName, cols) || len(none) != 0 {
		t.Errorf("filtered: rows %q, columns %q, by name %q, then %q", rows, cols, byName, none)
	}
	if through > 0 {
		t.Errorf("%d marks of empty cells show through the names of rows", through)
	}
	if len(scripts) != 1 || scripts[0] != "" {
		t.Errorf("scripts %q", scripts)
	}
	mu.Lock()
	defer mu.Unlock()
	asked = slices.DeleteFunc(asked, func(url string) bool { return strings.HasSuffix(url, "/favicon.ico") }) // the browser's own wish
	if len(asked) > 0 || len(complaints) > 0 {
		t.Errorf("the page asks for %q and complains of %q", asked, complaints)
	}
}

// through scrolls the matrix to the side and counts what of empty cells stands before
// the names of the rows, which stay.
const through = `(() => {
	const box = document.querySelector(".scroll");
	box.style.width = "300px";
	let n = 0;
	for (let left = 0; left < box.scrollWidth; left += 3) {
		box.scrollLeft = left;
		for (const mark of document.querySelectorAll(".none")) {
			const name = mark.closest("tr").querySelector("th").getBoundingClientRect(), at = mark.getBoundingClientRect();
			const x = (at.left + at.right) / 2, y = (at.top + at.bottom) / 2;
			if (x > name.left && x < name.right && document.elementFromPoint(x, y) === mark) n++;
		}
	}
	box.scrollLeft = 0;
	box.style.width = "";
	return n;
})()`

// seen is what an action finds on the page.
func seen[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
