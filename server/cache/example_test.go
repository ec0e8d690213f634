package cache_test

import (
	"context"
	"fmt"
	"time"

	"rws/server/cache"
)

func ExampleCache_Fetch() {
	store, err := cache.NewMemory(64 << 20)
	if err != nil {
		panic(err)
	}
	rates := cache.New(store, cache.Options{})
	defer rates.Close()
	load := func(context.Context) (cache.Item, bool, error) {
		fmt.Println("loading")
		return cache.Item{Value: []byte("1.08")}, true, nil
	}
	for range 2 {
		item, _, err := rates.Fetch(context.Background(), "eur", cache.FetchOptions{TTL: 5 * time.Minute}, load)
		fmt.Println(string(item.Value), err)
	}
	// Output:
	// loading
	// 1.08 <nil>
	// 1.08 <nil>
}
