package storage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	// renewBefore is how long before their end credentials are renewed.
	renewBefore = 120 * time.Second
	// metadataTimeout is what the metadata service of a machine may take: elsewhere nothing answers there.
	metadataTimeout = 400 * time.Millisecond
	// sessionName is what Amazon's logs call who took a role by a web identity.
	sessionName = "rws-s3"
)

// credentialsOf returns where credentials come from: the first of these that is there.
//
//   - the URL
//   - AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN
//   - a role for a web identity, as Kubernetes has it: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE
//   - the service of a container (ECS, EKS): AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with
//     AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE
//   - the role of the machine (EC2, IMDSv2), unless AWS_EC2_METADATA_DISABLED is "true"
//
// Nothing is asked before the first use. What is got is kept until shortly before its end.
func credentialsOf(l Location, getenv func(string) string, client *http.Client) (aws.CredentialsProvider, error) {
	key, secret, token := l.Key, l.Secret, ""
	if key == "" {
		key, secret, token = getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")
	}
	switch {
	case key != "" && secret != "":
		return credentials.NewStaticCredentialsProvider(key, secret, token), nil
	case key != "" || secret != "":
		return nil, errors.New("storage: of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set: set both, or none")
	}
	from, err := roleOf(l, getenv, client)
	if err != nil {
		return nil, err
	}
	return aws.NewCredentialsCache(from, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = renewBefore }), nil
}

// roleOf returns the source of credentials that end.
func roleOf(l Location, getenv func(string) string, client *http.Client) (aws.CredentialsProvider, error) {
	if role, file := getenv("AWS_ROLE_ARN"), getenv("AWS_WEB_IDENTITY_TOKEN_FILE"); role != "" && file != "" {
		api := sts.New(sts.Options{Region: l.Region, HTTPClient: client, BaseEndpoint: optional(getenv("AWS_ENDPOINT_URL_STS"))})
		return stscreds.NewWebIdentityRoleProvider(api, role, stscreds.IdentityTokenFile(file), func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName = sessionName
			if name := getenv("AWS_ROLE_SESSION_NAME"); name != "" {
				o.RoleSessionName = name
			}
		}), nil
	}
	endpoint := getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if below := getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); below != "" {
		endpoint = "http://169.254.170.2/" + strings.TrimPrefix(below, "/")
	}
	if endpoint != "" {
		return containerRole(endpoint, getenv, client)
	}
	if strings.EqualFold(getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return noCredentials{}, nil
	}
	return machineRole{ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		o.Client = imds.New(imds.Options{
			Retryer: aws.NopRetryer{}, EnableFallback: aws.FalseTernary, Endpoint: getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
			HTTPClient: &http.Client{Timeout: metadataTimeout, Transport: client.Transport},
		})
	})}, nil
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// containerHosts are where Amazon's containers find credentials.
var containerHosts = []string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"}

func containerRole(endpoint string, getenv func(string) string, client *http.Client) (aws.CredentialsProvider, error) {
	u, err := url.Parse(endpoint)
	if err != nil || !trusted(u) {
		return nil, errors.New("storage: AWS_CONTAINER_CREDENTIALS_FULL_URI is sent a token: https, or a host of this machine or of Amazon's containers expected")
	}
	return endpointcreds.New(endpoint, func(o *endpointcreds.Options) {
		o.HTTPClient, o.Retryer = client, retry.AddWithMaxAttempts(retry.NewStandard(), 2)
		o.AuthorizationToken = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				token, err := os.ReadFile(file)
				return strings.TrimSpace(string(token)), err
			})
		}
	}), nil
}

// trusted reports whether a token may go to a URL.
func trusted(u *url.URL) bool {
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	switch u.Scheme {
	case "https":
		return host != ""
	case "http":
		return host == "localhost" || err == nil && ip.IsLoopback() || slices.Contains(containerHosts, host)
	}
	return false
}

// errNoCredentials is where nothing is set and no machine gives any.
var errNoCredentials = errors.New("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is given to the program (EKS, ECS, EC2)")

type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errNoCredentials
}

// A machineRole is the last that is tried: where it does not answer there are no credentials at all.
type machineRole struct{ aws.CredentialsProvider }

func (m machineRole) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := m.CredentialsProvider.Retrieve(ctx)
	if _, network := errors.AsType[net.Error](err); err != nil && (network || ctx.Err() == nil) {
		return c, fmt.Errorf("%w (%w)", errNoCredentials, err)
	}
	return c, err
}
