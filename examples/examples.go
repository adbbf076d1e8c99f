package examples

import "embed"

// FS is the folders of this package, each an estate.
//
//go:embed kakao-2022 kakao-2023 two-sites
var FS embed.FS
