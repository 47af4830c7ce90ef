# Nothing is built here: the one native build definition is CMakeLists.txt. This file only hands node-gyp over to it
# (npm itself runs the `install` script of package.json and never reads the actions below).
{
  "targets": [
    {
      "target_name": "uvs",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/addon/Release/uvs.node"],
          "action": ["bash", "scripts/build.sh", "native"]
        }
      ]
    }
  ]
}
