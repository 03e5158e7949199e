# Every target installs what it needs on a Debian machine with make and Rust; run as root, or as a user with sudo.

.PHONY: help binaries image test push verify-release clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

binaries: ## build dist/linux/{amd64,arm64,ppc64le,s390x}/link-model-and-wait
	@tools/binaries.sh

image: binaries ## build localhost/modelcar-base for four platforms, write dist/*.oci.tar, run it as KServe does
	@tools/image.sh

test: binaries ## run all tests on those files
	@tools/test.sh

push: ## push the images; IMAGE=registry/name:tag
	@IMAGE="$(IMAGE)" tools/push.sh

verify-release: ## rebuild the images and compare; DIGEST=sha256:...
	@DIGEST="$(DIGEST)" tools/verify-release.sh

clean: ## remove everything that was built here
	@tools/clean.sh
