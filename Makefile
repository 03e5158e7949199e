# Every target installs what it needs on a Debian machine with make and Rust, but for the Go that `make cluster` builds
# with. What needs root asks sudo for it.

export PYTHONDONTWRITEBYTECODE = 1

.PHONY: help binaries image load test test-long fresh fuzz e2e loaders pictures push verify-release wheel clients clean size size-record bench lint sbom provenance digest sign sign-test
.PHONY: cluster cluster-emulated cluster-figures cluster-up cluster-down

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables that change what they do: docs/releasing.md, \"Settings\""

binaries: ## build dist/linux/ARCH/link-model-and-wait for each of arches.txt
	@tools/binaries.sh

image: binaries ## build the image for all platforms into dist/*.oci.tar, and smoke-test it
	@tools/image.sh

load: ## load what make image wrote into your podman, as localhost/modelcar-base
	@tools/load.sh

test: binaries ## run all tests on those files
	@tools/test.sh

test-long: binaries ## run what takes longer: thousands of starts, distribution kernels in emulated machines, more scripts
	@tests/long/run.sh
	@tests/kernels/run.sh
	@cd tests && TEST_SECONDS=3600 DIFFERENTIAL_COUNT=20000 cargo test --release --test differential -- --ignored --nocapture

fresh: ## type make image and make test in minimal Debian 12 and 13 systems, as root and as a user; MORE=yes: what workflows run, too
	@tests/fresh/run.sh $(CASES)

fuzz: ## give the program's own source made-up scripts, with address sanitizer; SECONDS=60
	@tests/fuzz/run.sh $(or $(SECONDS),60)

size: binaries ## compare the files' bytes with the record in size.toml
	@command -v python3 >/dev/null || tools/packages.sh python3
	@tools/size.py check

size-record: image ## record the bytes, and write them into the documents
	@command -v python3 >/dev/null || tools/packages.sh python3
	@tools/size.py record

bench: image ## measure the program beside its peers; as root, on amd64; RUNS=20: quickly, into target/bench and not docs/
	@bench/run.sh $(RUNS)

e2e: image ## run the images in whole pods, as KServe and others do, and on other container runtimes (installs docker, containerd)
	@tests/e2e/run.sh

loaders: image ## load tiny models with the loaders that servers use, through the link and from a copy, and check docs/loaders.md
	@tests/loaders/run.sh

pictures: ## run the document that goes to a first prediction on a cluster, and draw docs/imgs/*.svg from what it printed
	@tests/cluster/run.sh test test_document.py
	@python3 tests/cluster/pictures.py

push: ## push the images; IMAGE=registry/name:tag, PUSH_FLAGS=--dest-tls-verify=false for one without TLS
	@IMAGE="$(IMAGE)" tools/push.sh

wheel: image ## build dist/modelcar_base_image-*.whl, the image of all platforms for users of olot
	@python/build.sh

lint: ## check format, style, workflows, documents and licences with the usual tools
	@tools/lint.sh

sbom: ## write dist/modelcar-base.spdx.json: crates, compiler, files and images; after make image
	@command -v python3 >/dev/null || tools/packages.sh python3
	@tools/sbom.py

provenance: ## write dist/modelcar-base.provenance.json: from what, by what and where the images were built
	@command -v python3 >/dev/null || tools/packages.sh python3
	@tools/provenance.py

digest: ## print the digest of the list that make image wrote
	@bash -c 'tools/packages.sh jq >&2 && . tools/common.sh && digest_of dist/modelcar-base.oci.tar'

sign: ## sign what was pushed, and attest its SBOM and provenance; IMAGE=registry/name:tag
	@IMAGE="$(IMAGE)" tools/sign.sh

sign-test: sbom provenance ## push, sign and verify with a registry and a key pair on this machine; after make image
	@tools/sign-test.sh

clients: wheel ## test the image and wheel with olot, modelcar-maker, RamaLama, podman, buildah, docker and skopeo (installs docker)
	@tests/clients/run.sh

cluster: ## run the image on a Kubernetes with KServe that is built from Go modules; after make image; RUNTIME=containerd, crio KSERVE=0.20.0
	@tests/cluster/run.sh test $(TESTS)

cluster-emulated: ## run some of it in an emulated machine that has control groups of version 2; after make image
	@tests/cluster/emulated.sh $(TESTS)

cluster-figures: ## measure ModelCars on such a node, into docs/benchmarks-cluster.md; after make image
	@tests/cluster/run.sh figures

cluster-up: ## start such a node, and leave it standing
	@tests/cluster/run.sh up

cluster-down: ## end it
	@tests/cluster/run.sh down

verify-release: ## rebuild the images and compare; DIGEST=sha256:...
	@DIGEST="$(DIGEST)" tools/verify-release.sh

clean: ## remove everything that was built here
	@tools/clean.sh
