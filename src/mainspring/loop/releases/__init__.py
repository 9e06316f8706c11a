"""What is done with whole releases: adopted, compared, reproduced, served by themselves."""
