# Every target installs what it needs on a Debian machine with make and Rust; run as root, or as a user with sudo.

.PHONY: help binaries test clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

binaries: ## build dist/linux/{amd64,arm64,ppc64le,s390x}/link-model-and-wait
	@tools/binaries.sh

test: binaries ## run all tests on those files
	@tools/test.sh

clean: ## remove everything that was built here
	rm -rf dist target tests/target
