package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity of a certificate that a server makes for itself.
const validity = 365 * 24 * time.Hour

// selfSign makes an authority and a certificate for this machine in a folder,
// unless they are there.
func selfSign(dir, host string) error {
	if _, err := os.Stat(filepath.Join(dir, certificateFile)); err == nil {
		return nil
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Descent fleet"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "Descent fleet server"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if name, err := os.Hostname(); err == nil {
		leaf.DNSNames = append(leaf.DNSNames, name)
	}
	if ip := net.ParseIP(host); ip == nil {
		leaf.DNSNames = append(leaf.DNSNames, host)
	} else if ip.IsUnspecified() {
		leaf.IPAddresses = append(leaf.IPAddresses, ownAddresses()...)
	} else {
		leaf.IPAddresses = append(leaf.IPAddresses, ip)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	signed, err := x509.CreateCertificate(rand.Reader, leaf, authority, &leafKey.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		return err
	}
	// The authority's key is not kept: nothing else can be signed with it.
	return writePEM(dir, block{caFile, "CERTIFICATE", root}, block{keyFile, "EC PRIVATE KEY", private}, block{certificateFile, "CERTIFICATE", signed})
}

type block struct {
	file, kind string
	content    []byte
}

func writePEM(dir string, blocks ...block) error {
	for _, b := range blocks {
		text := pem.EncodeToMemory(&pem.Block{Type: b.kind, Bytes: b.content})
		if err := os.WriteFile(filepath.Join(dir, b.file), text, 0o600); err != nil {
			return fmt.Errorf("cannot write the certificate: %w", err)
		}
	}
	return nil
}

// ownAddresses are those of this machine's interfaces.
func ownAddresses() []net.IP {
	var list []net.IP
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil // localhost remains
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok {
			list = append(list, network.IP)
		}
	}
	return list
}
