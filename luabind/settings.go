package luabind

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rws/luabind/bind"
	"rws/server/listen"
	"rws/server/suggest"
)

func intSetting(name, def, doc string, low, high int, at func(*Config) *int) Setting {
	return Setting{name, def, doc, func(c *Config, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is not a whole number from %d to %d", text, low, high)
		}
		*at(c) = n
		return nil
	}, func(c *Config) string { return strconv.Itoa(*at(c)) }}
}

func textSetting(name, def, doc string, at func(*Config) *string) Setting {
	return Setting{name, def, doc, func(c *Config, text string) error { *at(c) = text; return nil },
		func(c *Config) string { return *at(c) }}
}

func choiceSetting(name, def, doc string, choices []string, at func(*Config) *string) Setting {
	return Setting{name, def, doc, func(c *Config, text string) error {
		if !slices.Contains(choices, text) {
			return fmt.Errorf("%q is none of %s%s", text, strings.Join(choices, ", "), suggest.DidYouMean(text, choices))
		}
		*at(c) = text
		return nil
	}, func(c *Config) string { return *at(c) }}
}

func listSetting(name, def, doc string, at func(*Config) *[]string) Setting {
	return Setting{name, def, doc, func(c *Config, text string) error {
		*at(c) = nil
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*at(c) = append(*at(c), part)
			}
		}
		return nil
	}, func(c *Config) string { return strings.Join(*at(c), ", ") }}
}

// addressSetting is a list of addresses to listen on.
func addressSetting(name, def, doc string, at func(*Config) *[]string) Setting {
	s := listSetting(name, def, doc, at)
	read := s.read
	s.read = func(c *Config, text string) error {
		if err := read(c, text); err != nil {
			return err
		}
		for _, address := range *at(c) {
			if err := listen.Check(address); err != nil {
				return err
			}
		}
		return nil
	}
	return s
}

func boolSetting(name, def, doc string, at func(*Config) *bool) Setting {
	return Setting{name, def, doc, func(c *Config, text string) error {
		switch strings.ToLower(text) {
		case "true", "on", "yes", "1":
			*at(c) = true
		case "false", "off", "no", "0":
			*at(c) = false
		default:
			return fmt.Errorf("%q is neither true nor false", text)
		}
		return nil
	}, func(c *Config) string { return strconv.FormatBool(*at(c)) }}
}

func durationSetting(name, def, doc string, at func(*Config) *time.Duration) Setting {
	return Setting{name, def, doc, func(c *Config, text string) error {
		d, err := bind.ParseDuration(text)
		if err != nil {
			return err
		}
		if d <= 0 {
			return fmt.Errorf("%q is not longer than nothing", text)
		}
		*at(c) = d
		return nil
	}, func(c *Config) string { return showDuration(*at(c)) }}
}

// showDuration writes d as ParseDuration reads it.
func showDuration(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if d >= u.unit && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

func sizeSetting(name, def, doc string, at func(*Config) *int64) Setting {
	return Setting{name, def, doc, func(c *Config, text string) error {
		n, err := bind.ParseSize(text)
		if err != nil {
			return err
		}
		if n <= 0 {
			return fmt.Errorf("%q is not larger than nothing", text)
		}
		*at(c) = int64(n)
		return nil
	}, func(c *Config) string { return bind.Size(*at(c)).String() }}
}

func readIsolates(c *Config, text string) error {
	if text == "auto" {
		c.Isolates = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 256 {
		return fmt.Errorf("%q is neither \"auto\" nor a whole number from 1 to 256", text)
	}
	c.Isolates = n
	return nil
}

func showIsolates(c *Config) string {
	if c.Isolates == 0 {
		return "auto"
	}
	return strconv.Itoa(c.Isolates)
}

func readMemory(c *Config, text string) error {
	switch text {
	case "auto":
		c.MemoryLimit = 0
		return nil
	case "off":
		c.MemoryLimit = -1
		return nil
	}
	n, err := bind.ParseSize(text)
	c.MemoryLimit = int64(n)
	if err == nil && n <= 0 {
		err = fmt.Errorf("%q is not larger than nothing; \"off\" means no limit", text)
	}
	return err
}

func showMemory(c *Config) string {
	switch {
	case c.MemoryLimit == 0:
		return "auto"
	case c.MemoryLimit < 0:
		return "off"
	}
	return bind.Size(c.MemoryLimit).String()
}
