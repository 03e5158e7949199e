# The name that `make image` gives the manifest list which is embedded here. It bears the name that programs import.
ODH_MODELCAR_BASE_IMAGE = "localhost/modelcar-base:latest"
EMBEDDED_OCI_LAYOUT_DIR = "embedded_oci_layout"
