package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// tokenRenewalShare is the part of its life after which a kubelet replaces a token.
const tokenRenewalShare = 0.8

// token is a service account token that is bound to the pod: the one in place as long as it is young enough, else a new
// one. It carries the pod's name and uid and is worth nothing once the pod is gone.
func (c *contents) token(source *corev1.ServiceAccountTokenProjection) ([]byte, error) {
	if kept, err := os.ReadFile(filepath.Join(c.folder, source.Path)); err == nil && c.stillGood(kept, time.Now()) {
		return kept, nil
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		// Its default when the spec leaves it out, as API servers write it in.
		ExpirationSeconds: ptr.To(ptr.Deref(source.ExpirationSeconds, 3600)),
		BoundObjectRef: &authenticationv1.BoundObjectReference{
			Kind: "Pod", APIVersion: "v1", Name: c.pod.Name, UID: c.pod.UID,
		},
	}}
	if source.Audience != "" {
		request.Spec.Audiences = []string{source.Audience}
	}
	account := c.pod.Spec.ServiceAccountName
	if account == "" {
		return nil, errors.New("a token is wanted for a pod that names no ServiceAccount: set serviceAccountName")
	}
	answer, err := c.kubelet.cluster.client.CoreV1().ServiceAccounts(c.pod.Namespace).CreateToken(c.ctx, account, request, metav1.CreateOptions{})
	if isAbsent(err) {
		return nil, fmt.Errorf("%w; create the ServiceAccount %s in namespace %s, or set automountServiceAccountToken: false", err, account, c.pod.Namespace)
	} else if err != nil {
		return nil, fmt.Errorf("no token for ServiceAccount %s: %w", account, err)
	}
	return []byte(answer.Status.Token), nil
}

// claims are the parts of a token that tell whether to keep it.
type claims struct {
	Issued     int64 `json:"iat"`
	Expires    int64 `json:"exp"`
	Kubernetes struct {
		Pod struct {
			UID string `json:"uid"`
		} `json:"pod"`
	} `json:"kubernetes.io"`
}

func (c *contents) stillGood(token []byte, now time.Time) bool {
	claims, err := readClaims(string(token))
	return err == nil && claims.Kubernetes.Pod.UID == string(c.pod.UID) && claims.young(now)
}

func (c claims) young(now time.Time) bool {
	life := time.Duration(c.Expires-c.Issued) * time.Second
	renewal := time.Unix(c.Issued, 0).Add(time.Duration(float64(life) * tokenRenewalShare))
	return now.Before(renewal)
}

// readClaims trusts the token's signature: the API server's answer was written by this process.
func readClaims(token string) (claims, error) {
	var read claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || slices.Contains(parts, "") {
		return read, errors.New("not a token of three parts")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return read, err
	}
	return read, json.Unmarshal(body, &read)
}
