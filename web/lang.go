package web

import (
	"embed"

	"bongsu/internal/lang"
)

//go:embed messages/*.json
var messageFiles embed.FS

// loadCatalogues reads the messages of the console.
func loadCatalogues() (lang.Catalogues, error) { return lang.Load(messageFiles, "messages") }
